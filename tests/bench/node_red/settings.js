// Node-RED for the comparison: no editor, no login, nothing kept; the broker's address and password from the environment.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.NODE_RED_PORT),
  httpAdminRoot: false,
  credentialSecret: false,
  flowFile: "flows.json",
  logging: { console: { level: "info" } },
};
