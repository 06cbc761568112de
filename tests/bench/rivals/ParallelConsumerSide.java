// Confluent Parallel Consumer as its documentation has it for HTTP: order by key, Vert.x client, offsets committed each second.
// java -cp ... ParallelConsumerSide BOOTSTRAP TOPIC GROUP URL IN_FLIGHT
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.vertx.VertxParallelEoSStreamProcessor;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.client.WebClient;
import io.vertx.ext.web.client.WebClientOptions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class ParallelConsumerSide {
    public static void main(String[] arguments) throws InterruptedException {
        String url = arguments[3];
        int inFlight = Integer.parseInt(arguments[4]);
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", arguments[0],
                "group.id", arguments[2],
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "session.timeout.ms", "6000");
        var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        var vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        var client = WebClient.create(vertx, new WebClientOptions().setMaxPoolSize(inFlight).setKeepAlive(true));
        var options = ParallelConsumerOptions.<byte[], byte[]>builder()
                .consumer(consumer)
                .ordering(ParallelConsumerOptions.ProcessingOrder.KEY)
                .maxConcurrency(inFlight)
                .commitMode(ParallelConsumerOptions.CommitMode.PERIODIC_CONSUMER_SYNC)
                .commitInterval(Duration.ofSeconds(1))
                .build();
        var processor = new VertxParallelEoSStreamProcessor<byte[], byte[]>(vertx, client, options);
        processor.subscribe(List.of(arguments[1]));
        processor.vertxFuture(context -> client.postAbs(url)
                .putHeader("Content-Type", "application/json")
                .sendBuffer(Buffer.buffer(context.value()))
                .compose(answer -> answer.statusCode() < 300
                        ? Future.succeededFuture(answer)
                        : Future.failedFuture("status " + answer.statusCode())));
        Thread.sleep(Long.MAX_VALUE);
    }
}
