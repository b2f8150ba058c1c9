import { describe, expect, it } from "@jest/globals";
import { createPrivateAddressCheck } from "../../../../src/auth/jwt/private-address.js";

const isPrivate = createPrivateAddressCheck();

describe("the check for private addresses", () => {
  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:a01:203",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "::ffff:0:127.0.0.1",
    "::ffff:0:a9fe:a9fe",
    "::ffff:0:8.8.8.8",
    "0:0:0:0:FFFF:0:7F00:1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b:0:1::1",
    "64:ff9c::1",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::",
    "2606:4700::5efe:127.0.0.1",
    "2606:4700::200:5efe:a00:1",
    "2606:4700::1%lo",
    "fe80::1%eth0",
    "1::1",
    "4000::1",
    "8000::1",
    "100::1",
    "5f00::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "localhost",
    "127.1",
    "",
  ])("A32 takes %p for private", (address) => {
    expect(isPrivate(address)).toBe(true);
  });

  it.each([
    "8.8.8.8",
    "172.32.0.1",
    "192.169.0.1",
    "11.0.0.1",
    "2606:4700::1111",
    "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8",
    "::FFFF:808:808",
    "2000::1",
    "3ffe:ffff::1",
    "2606:4700::5efe:8.8.8.8",
    "2606:4700::201:5efe:127.0.0.1",
    "2606:4700::5eff:127.0.0.1",
  ])("takes %p for public", (address) => {
    expect(isPrivate(address)).toBe(false);
  });
});
