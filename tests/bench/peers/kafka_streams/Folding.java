import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The peer of the fold over Kafka: engagement and attention to categories per shopper, from the topic of actions to an output
 * topic, exactly once.
 *
 * <p>{@code Folding BROKERS APPLICATION INPUT OUTPUT STATE_DIRECTORY THREADS jackson|tuned}
 *
 * <p>{@code jackson} binds events and state to classes, as most programs do; {@code tuned} reads of an event only what is needed and
 * stores the state in a short form of its own. OUTPUT {@code -} leaves the output topic out: then the changelog of the store, which
 * holds the same, is all that is written.
 */
public final class Folding {
  /** The name of the store, from which that of its changelog follows. */
  private static final String STORE = "shoppers";

  private Folding() {}

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length != 7) {
      System.err.println("usage: Folding BROKERS APPLICATION INPUT OUTPUT|- STATE_DIRECTORY THREADS jackson|tuned");
      System.exit(2);
    }
    Properties settings = settings(arguments[0], arguments[1], arguments[4], arguments[5]);
    boolean tuned = arguments[6].equals("tuned");
    KafkaStreams streams = new KafkaStreams(topology(arguments[2], arguments[3], tuned, settings), settings);
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        problem -> {
          problem.printStackTrace();
          ended.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
    ended.await();
    System.exit(1);
  }

  private static Topology topology(String input, String output, boolean tuned, Properties settings) {
    Serde<Action> actions =
        tuned
            ? serde(Folding::never, Action::parse)
            : serde(Folding::never, JacksonSerdes::action);
    Serde<Shopper> stored =
        tuned
            ? serde(Shopper::toBytes, Shopper::fromBytes)
            : serde(JacksonSerdes::toBytes, JacksonSerdes::shopper);
    StreamsBuilder builder = new StreamsBuilder();
    KTable<byte[], Shopper> shoppers =
        builder.stream(input, Consumed.with(Serdes.ByteArray(), actions))
            .groupByKey()
            .aggregate(
                Shopper::new,
                (key, action, shopper) -> shopper.fold(action),
                Materialized.<byte[], Shopper>as(Stores.persistentKeyValueStore(STORE))
                    .withKeySerde(Serdes.ByteArray())
                    .withValueSerde(stored)
                    .withCachingEnabled());
    if (!output.equals("-")) {
      shoppers.toStream().to(output, Produced.with(Serdes.ByteArray(), stored));
    }
    return builder.build(settings);
  }

  private static <T> Serde<T> serde(Function<T, byte[]> write, Function<byte[], T> read) {
    return Serdes.serdeFrom(
        (topic, value) -> value == null ? null : write.apply(value),
        (topic, bytes) -> bytes == null ? null : read.apply(bytes));
  }

  private static byte[] never(Action action) {
    throw new UnsupportedOperationException("actions are only read");
  }

  private static Properties settings(String brokers, String application, String directory, String threads) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, directory);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    // The default with exactly-once, and Foretide's publishing interval.
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    // Changes of one shopper between two commits become one. Large enough that nothing is evicted before.
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    settings.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksDbTuning.class);
    settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 1 << 16);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 50);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1 << 18);
    return settings;
  }
}
