// Reads a topic with kafkajs from its beginning to `count` records, each decoded by Confluent's framing, and prints one
// JSON object a line: key and value. Arguments: bootstrap server, URL of the registry, topic, count.
const { Kafka, logLevel } = require("kafkajs");
const { SchemaRegistry } = require("@kafkajs/confluent-schema-registry");

const [, , broker, registryUrl, topic, count] = process.argv;
const registry = new SchemaRegistry({ host: registryUrl });
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

async function main() {
  const consumer = kafka.consumer({ groupId: `kafkajs-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let seen = 0;
  const done = new Promise((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ message }) => {
          try {
            const value = await registry.decode(message.value);
            const plain = (_, member) => (Buffer.isBuffer(member) ? member.toString("latin1") : member);
            console.log(JSON.stringify({ key: message.key.toString(), value }, plain));
          } catch (error) {
            reject(error);
          }
          seen += 1;
          if (seen >= Number(count)) resolve();
        },
      })
      .catch(reject);
  });
  await done;
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
