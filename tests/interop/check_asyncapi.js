// Parses an AsyncAPI document, the Avro schemas in it too, and prints what is wrong with it as JSON.
const { Parser, fromFile } = require("@asyncapi/parser");
const { AvroSchemaParser } = require("@asyncapi/avro-schema-parser");

async function main() {
  const parser = new Parser();
  parser.registerSchemaParser(AvroSchemaParser());
  const { document, diagnostics } = await fromFile(parser, process.argv[2]).parse();
  const told = diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path: path.join(".") }));
  const channels = document ? document.channels().all().map((channel) => channel.address()) : [];
  console.log(JSON.stringify({ valid: document !== undefined, channels, diagnostics: told }));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
