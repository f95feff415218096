const test = require("node:test");
const assert = require("node:assert");

test("odd", () => assert.ok(require("is-odd")(3)));
