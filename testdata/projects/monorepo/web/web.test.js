require("node:test")("web", () => {});
