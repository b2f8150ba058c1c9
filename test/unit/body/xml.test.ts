import { describe, expect, it } from "@jest/globals";
import { mostXmlNodes, readXml } from "../../../src/body/xml.js";
import { Refusal } from "../../../src/errors.js";

function read(body: string | Uint8Array): unknown {
  const found = readXml(Buffer.from(body));
  if (found instanceof Refusal) throw new Error(found.reason);
  return found.value;
}

function reasonFor(body: string | Uint8Array): string {
  const found = readXml(Buffer.from(body));
  if (!(found instanceof Refusal)) throw new Error(`read as ${JSON.stringify(found.value)}`);
  expect(found.code).toBe("ERR_BODY_MALFORMED");
  return found.reason;
}

describe("what an XML body says", () => {
  it.each<[string, string, unknown]>([
    ["an element of text is its text", "<a>one</a>", { a: "one" }],
    ["an element of nothing is empty text", "<a/>", { a: "" }],
    ["start and end tag with nothing between", "<a></a>", { a: "" }],
    ["numbers stay text", "<a>007</a>", { a: "007" }],
    ["elements within", "<a><b>1</b><c>2</c></a>", { a: { b: "1", c: "2" } }],
    [
      "repeated elements are a list in their order",
      "<a><b>1</b><b>2</b><b/></a>",
      { a: { b: ["1", "2", ""] } },
    ],
    ["repeated elements with others between", "<a><b>1</b><c/><b>2</b></a>", { a: { b: ["1", "2"], c: "" } }],
    ["attributes", `<a x="1" y='2'/>`, { a: { "@x": "1", "@y": "2" } }],
    ["attributes beside text", `<a x="1">one</a>`, { a: { "@x": "1", "#text": "one" } }],
    ["an attribute and an element of one name", `<a b="1"><b>2</b></a>`, { a: { "@b": "1", b: "2" } }],
    ["text beside elements", "<a>one <b>2</b> three</a>", { a: { "#text": "one  three", b: "2" } }],
    ["white space between elements is dropped", "<a>\n  <b>1</b>\t\r\n</a>", { a: { b: "1" } }],
    ["white space alone is text", "<a> </a>", { a: " " }],
    ["white space beside an attribute is text", `<a x=""> </a>`, { a: { "@x": "", "#text": " " } }],
    ["white space in tags", `<a\n x = "1"\t></a >`, { a: { "@x": "1" } }],
    ["white space around the root", "\n <a/>\r\n", { a: "" }],
    ["CDATA is text", "<a>1<![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>", { a: "1<b>&amp;]]>" }],
    ["comments are dropped", "<!-- x --><a>1<!-- <b> & - -->2</a><!---->", { a: "12" }],
    ["the five entities", "<a>&lt;&gt;&amp;&quot;&apos;</a>", { a: `<>&"'` }],
    ["what an entity gives is not read again", "<a>&amp;lt;&#38;lt;</a>", { a: "&lt;&lt;" }],
    [
      "references to characters",
      "<a>&#65;&#x1F600;&#x1f600;&#10;&#9;&#13;&#xE000;</a>",
      { a: "A😀😀\n\t\r\ue000" },
    ],
    ["references in attributes", `<a x="&lt;&#10;&quot;"/>`, { a: { "@x": '<\n"' } }],
    ["line ends become line feeds", "<a>1\r\n2\r3\n<![CDATA[\r\n]]></a>", { a: "1\n2\n3\n\n" }],
    ["white space in attributes becomes spaces", `<a x="1\r\n2\t3\n4\r"/>`, { a: { "@x": "1 2 3 4 " } }],
    [
      ">, quotes and brackets in text",
      `<a x="'>]]>">">' ]] ]></a>`,
      { a: { "@x": "'>]]>", "#text": `">' ]] ]>` } },
    ],
    ["prefixes stay", `<s:a xmlns:s="urn:x"><s:b/></s:a>`, { "s:a": { "@xmlns:s": "urn:x", "s:b": "" } }],
    ["names of every script", "<größe-1.2_x><名/></größe-1.2_x>", { "größe-1.2_x": { 名: "" } }],
    ["a declaration", `<?xml version="1.0"?><a/>`, { a: "" }],
    [
      "a declaration with everything",
      `<?xml version='1.0' encoding = "UTF-8" standalone="yes" ?>\n<a/>`,
      { a: "" },
    ],
    ["standalone without encoding", `<?xml version="1.0" standalone='no'?><a/>`, { a: "" }],
  ])("%s", (_what, xml, value) => {
    expect(read(xml)).toStrictEqual(value);
  });

  it("E17 names such as __proto__ and constructor are data, and touch no prototype", () => {
    const { a } = read(
      `<a><__proto__><polluted>1</polluted></__proto__><__proto__/><constructor>2</constructor></a>`,
    ) as { a: object };
    expect(Object.keys(a)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(a)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
    expect(Object.keys(read("<__proto__>1</__proto__>") as object)).toEqual(["__proto__"]);
  });

  it("E18 nests 64 deep, as JSON does", () => {
    expect(read("<a>".repeat(64) + "</a>".repeat(64))).toHaveProperty(Array<string>(64).fill("a"), "");
    expect(reasonFor("<a>".repeat(65) + "</a>".repeat(65))).toContain("nested deeper than 64");
    expect(reasonFor(`${"<a>".repeat(64)}<a/>${"</a>".repeat(64)}`)).toContain("nested deeper than 64");
  });

  it("takes as many elements and attributes as it says, and no more", () => {
    const elements = (count: number) => `<a>${"<b/>".repeat(count - 1)}</a>`;
    const attributes = (count: number) =>
      `<a ${Array.from({ length: count - 1 }, (_, at) => `x${at}=""`).join(" ")}/>`;
    for (const make of [elements, attributes]) {
      read(make(mostXmlNodes));
      expect(reasonFor(make(mostXmlNodes + 1))).toContain("more than 20000 elements and attributes");
    }
  });
});

describe("what an XML body must not say", () => {
  it.each<[string, string]>([
    ["a DTD", `<!DOCTYPE a><a/>`],
    ["a DTD that takes a file (XXE)", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`],
    [
      "a DTD whose entities grow (billion laughs)",
      `<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>`,
    ],
    ["a DTD behind the declaration", `<?xml version="1.0"?>\n<!DOCTYPE a><a/>`],
    ["a DTD in lower case", `<!doctype a><a/>`],
    ["an entity declared within", `<a><!ENTITY x "1"></a>`],
  ])("E23 refuses %s", (_what, xml) => {
    expect(reasonFor(xml)).toContain("DTD");
  });

  it.each([
    ...[
      "&x;",
      "&nbsp;",
      "&LT;",
      "&lt",
      "&",
      "& ",
      "&;",
      "&amp",
      "&ltx",
      "&lt&gt;",
      "&__proto__;",
      "&constructor;",
    ],
    ...["&#0;", "&#8;", "&#x1F;", "&#xD800;", "&#xDFFF;", "&#xFFFE;", "&#x110000;", "&#99999999;"],
    ...["&#;", "&#x;", "&#X41;", "&#-1;", "&#4 1;", "&#65", "&#000000065;", "&#1e1;"],
  ])("E23 refuses the reference %s, in text and in attributes", (reference) => {
    expect(reasonFor(`<a>${reference}</a>`)).toContain("reference");
    expect(reasonFor(`<a x="${reference}"/>`)).toContain("reference");
  });

  it.each<[string, string, string]>([
    ["a processing instruction", `<?php echo 1 ?><a/>`, "processing instruction at character 0"],
    ["one within", `<a><?x?></a>`, "processing instruction at character 3"],
    ["a style sheet", `<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>`, "processing instruction"],
    ["a declaration behind white space", ` <?xml version="1.0"?><a/>`, "processing instruction"],
    ["a second declaration", `<?xml version="1.0"?><?xml version="1.0"?><a/>`, "processing instruction"],
    ["another version", `<?xml version="1.1"?><a/>`, "not version 1.0 in UTF-8"],
    ["another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, "not version 1.0 in UTF-8"],
    ["UTF-7", `<?xml version="1.0" encoding="utf-7"?><a/>`, "not version 1.0 in UTF-8"],
    ["a declaration without version", `<?xml encoding="utf-8"?><a/>`, "not version 1.0 in UTF-8"],
    ["a declaration in another order", `<?xml encoding="utf-8" version="1.0"?><a/>`, "not version 1.0"],
    ["a declaration with quotes that differ", `<?xml version="1.0'?><a/>`, "not version 1.0"],
    ["a declaration in capitals", `<?xml VERSION="1.0"?><a/>`, "not version 1.0"],
    ["a declaration without end", `<?xml version="1.0"><a/>`, "not version 1.0"],
    ["a declaration that is very long", `<?xml version="1.0"${" ".repeat(200)}?><a/>`, "not version 1.0"],
    ["nothing", "", "no element"],
    ["white space alone", " \n", "no element"],
    ["a comment alone", "<!-- -->", "no element"],
    ["text before the root", "x<a/>", "text outside"],
    ["text behind the root", "<a/>x", "text outside"],
    ["CDATA outside of the root", "<![CDATA[x]]><a/>", "text outside"],
    ["a reference outside of the root", "<a/>&#32;", "text outside"],
    ["a byte order mark", "\ufeff<a/>", "text outside"],
    ["white space that XML does not know", "\u00a0<a/>", "text outside"],
    ["JSON", `{"a":1}`, "text outside"],
    ["two roots", "<a/><b/>", "second root"],
    ["an element that does not end", "<a><b></b>", "ends within an element"],
    ["an end alone", "</a>", "end tag"],
    ["an end too many", "<a></a></a>", "end tag"],
    ["ends that cross", "<a><b></a></b>", "end tag"],
    ["an end in another case", "<a></A>", "end tag"],
    ["an end that is longer", "<a></ab>", "end tag"],
    ["an end with an attribute", `<a></a x="1">`, "end tag"],
    ["an end that does not end", "<a></a", "end tag"],
    ["an end behind white space", "<a></ a>", "end tag"],
    ["a tag that does not end", "<a", "tag that is not well-formed"],
    ["a tag with white space that does not end", "<a ", "tag that is not well-formed"],
    ["a tag in a tag", "<a <b/>", "tag that is not well-formed"],
    ["a slash alone", "<a / >", "tag that is not well-formed"],
    ["no white space between attributes", `<a x="1"y="2"/>`, "tag that is not well-formed"],
    ["no white space before an attribute", `<a"x"/>`, "tag that is not well-formed"],
    ["white space before a name", "< a/>", "begins nothing"],
    ["a name that begins with a digit", "<1/>", "begins nothing"],
    ["a name that begins with a combining mark", "<\u0301a/>", "begins nothing"],
    ["a < in text", "<a>1 < 2</a>", "begins nothing"],
    ["a < at the end", "<a><", "begins nothing"],
    ["an attribute without value", "<a x/>", "without a value in quotes"],
    ["an attribute without quotes", "<a x=1/>", "without a value in quotes"],
    ["an attribute that does not end", `<a x="1/>`, "without a value in quotes"],
    ["an attribute with something else than =", `<a x:"1"/>`, "without a value in quotes"],
    ["an attribute with a colon and a space", `<a x : "1"/>`, "without a value in quotes"],
    ["a < in an attribute", `<a x="<"/>`, "< in an attribute"],
    ["an attribute twice", `<a x="1" y="" x="1"/>`, "twice"],
    ["]]> in text", "<a>]]></a>", "]]>"],
    ["CDATA that does not end", "<a><![CDATA[ ]] ></a>", "CDATA section that does not end"],
    ["CDATA in lower case", "<a><![cdata[x]]></a>", "declaration"],
    ["a comment that does not end", "<a/><!-- ", "comment"],
    ["a comment that ends at its own beginning", "<!--><a/>", "comment"],
    ["a comment with --", "<!-- -- --><a/>", "comment"],
    ["a comment with --->", "<!-- ---><a/>", "comment"],
    ["a declaration that is nothing", "<a><!x></a>", "declaration"],
  ])("refuses %s", (_what, xml, reason) => {
    expect(reasonFor(xml)).toContain(reason);
  });

  it.each([...["\0", "\u0001", "\u0008", "\u000b", "\u000c", "\u001f", "\ufffe", "\uffff"]])(
    "refuses the character %j wherever it stands",
    (character) => {
      for (const xml of [
        `<a>${character}</a>`,
        `<a x="${character}"/>`,
        `<!--${character}--><a/>`,
        `<a/>${character}`,
      ]) {
        expect(reasonFor(xml)).toContain("character that XML forbids");
      }
    },
  );

  it("refuses bytes that are not UTF-8", () => {
    expect(reasonFor(Buffer.from("<a>\xe9</a>", "latin1"))).toBe("the body is not valid UTF-8");
    expect(reasonFor(Buffer.from("\ufeff<a/>", "utf16le"))).toBe("the body is not valid UTF-8");
    expect(reasonFor(Buffer.from("<a/>", "utf16le"))).toContain("character that XML forbids");
  });

  it("quotes nothing of the body to the operator", () => {
    for (const xml of [
      "<secret><secret2></secret>",
      "<a>&secret;</a>",
      "secret",
      `<?xml version="secret"?><a/>`,
    ]) {
      expect(reasonFor(xml)).not.toContain("secret");
    }
  });
});
