import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.List;

/**
 * Events and state as most programs have them, and Kafka's own examples ({@code PageViewTypedDemo}): bound to classes by Jackson,
 * the state stored as JSON.
 */
final class JacksonSerdes {
  private static final JsonMapper MAPPER = new JsonMapper();
  private static final ObjectReader EVENTS = MAPPER.readerFor(Event.class);
  private static final ObjectReader SHOPPERS = MAPPER.readerFor(Stored.class);
  private static final ObjectWriter TO_JSON = MAPPER.writerFor(Stored.class);

  @JsonIgnoreProperties(ignoreUnknown = true)
  private record Event(
      String type, String at, @JsonProperty("dwell_ms") long dwellMs, String category, Product product) {}

  @JsonIgnoreProperties(ignoreUnknown = true)
  private record Product(String category) {}

  /** What is stored of a shopper. */
  record Stored(@JsonProperty("as_of") long asOf, double[] engagement, List<Entry> attention) {}

  /** What is stored of a category. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  record Entry(String category, double attention, double error) {}

  private JacksonSerdes() {}

  static Action action(byte[] json) {
    try {
      Event event = EVENTS.readValue(json);
      long at = Instant.parse(event.at).toEpochMilli();
      Action.Kind kind = Action.kind(event.type);
      String productCategory = event.product == null ? null : event.product.category;
      return Action.of(at, kind, event.dwellMs, event.category, productCategory);
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  static Shopper shopper(byte[] json) {
    try {
      return new Shopper(SHOPPERS.<Stored>readValue(json));
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  static byte[] toBytes(Shopper shopper) {
    try {
      return TO_JSON.writeValueAsBytes(shopper.stored());
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }
}
