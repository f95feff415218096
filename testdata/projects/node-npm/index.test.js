const test = require("node:test");
const assert = require("node:assert");
const isNumber = require("./index.js");

test("numbers", () => assert.ok(isNumber("7")));
