import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Instant;
import java.time.LocalDate;

/**
 * What the fold needs of an event: when it was, which kind it is, how long it took, and the category that was looked at
 * ({@code null} where there is none). Read with Jackson's streaming parser, which builds no tree of what is not needed.
 */
record Action(long at, Kind kind, long dwellMs, String category) {
  enum Kind {
    PAGE_VIEW,
    PRODUCT_LIST_VIEW,
    SEARCH,
    PRODUCT_VIEW,
    OTHER
  }

  private static final JsonFactory JSON = new JsonFactory();

  /** Reads the value of a record on {@code foretide.actions}. */
  static Action parse(byte[] json) {
    try (JsonParser parser = JSON.createParser(json)) {
      return parse(parser);
    } catch (IOException problem) {
      throw new IllegalArgumentException("the record is no stored event", problem);
    }
  }

  private static Action parse(JsonParser parser) throws IOException {
    long at = 0;
    long dwellMs = 0;
    Kind kind = Kind.OTHER;
    String category = null;
    String productCategory = null;
    parser.nextToken();
    String name;
    while ((name = parser.nextFieldName()) != null) {
      JsonToken value = parser.nextToken();
      switch (name) {
        case "type" -> kind = kind(parser.getText());
        case "at" -> at = instant(parser.getText());
        case "dwell_ms" -> dwellMs = parser.getLongValue();
        case "category" -> category = value == JsonToken.VALUE_STRING ? parser.getText() : null;
        case "product" -> productCategory = categoryOfProduct(parser);
        default -> parser.skipChildren();
      }
    }
    return of(at, kind, dwellMs, category, productCategory);
  }

  /** An action whose category is that of its page, or that of its product, as befits its kind. */
  static Action of(long at, Kind kind, long dwellMs, String category, String productCategory) {
    return switch (kind) {
      case PAGE_VIEW, PRODUCT_LIST_VIEW -> new Action(at, kind, dwellMs, category);
      case PRODUCT_VIEW -> new Action(at, kind, dwellMs, productCategory);
      default -> new Action(at, kind, dwellMs, null);
    };
  }

  private static String categoryOfProduct(JsonParser parser) throws IOException {
    String category = null;
    String name;
    while ((name = parser.nextFieldName()) != null) {
      parser.nextToken();
      if (name.equals("category")) {
        category = parser.getText();
      } else {
        parser.skipChildren();
      }
    }
    return category;
  }

  static Kind kind(String type) {
    return switch (type) {
      case "page_view" -> Kind.PAGE_VIEW;
      case "product_list_view" -> Kind.PRODUCT_LIST_VIEW;
      case "search" -> Kind.SEARCH;
      case "product_view" -> Kind.PRODUCT_VIEW;
      default -> Kind.OTHER;
    };
  }

  /** Milliseconds since the epoch. Stored instants look like {@code 2026-11-22T08:00:00.000Z}: read much faster by place. */
  private static long instant(String text) {
    if (text.length() != 24 || text.charAt(23) != 'Z') {
      return Instant.parse(text).toEpochMilli();
    }
    long day = LocalDate.of(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10)).toEpochDay();
    long seconds = number(text, 11, 13) * 3600L + number(text, 14, 16) * 60L + number(text, 17, 19);
    return (day * 86_400 + seconds) * 1000 + number(text, 20, 23);
  }

  private static int number(String text, int from, int to) {
    int number = 0;
    for (int place = from; place < to; place++) {
      number = number * 10 + text.charAt(place) - '0';
    }
    return number;
  }
}
