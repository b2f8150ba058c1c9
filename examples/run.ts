// `npm run example -- NAME` builds the package and starts that example; without a name it says which there are.
import { existsSync, readdirSync } from "node:fs";

const names = readdirSync(import.meta.dirname)
  .filter((name) => existsSync(`${import.meta.dirname}/${name}/server.js`))
  .sort();
const name = process.argv[2];
if (name !== undefined && names.includes(name)) {
  await import(`./${name}/server.js`);
} else {
  console.error(`Name an example, as in: npm run example -- github\nThere are: ${names.join(", ")}`);
  process.exitCode = 2;
}
