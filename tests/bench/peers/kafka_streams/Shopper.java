import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What is kept of a shopper: four engagement sums that halve every 30 minutes, day, 7 days and 30 days, and the attention that
 * categories got, the 16 foremost found by weighted Space-Saving. All valid at the time of the latest event. The formulas are
 * those of Foretide's crate {@code features} ({@code State::attend}, {@code Affinity}).
 */
final class Shopper {
  private static final double MINUTE_MS = 60_000;
  private static final double DAY_MS = 24 * 60 * MINUTE_MS;
  private static final double[] HALF_LIVES_MS = {30 * MINUTE_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS};
  /** The place of the half-life of attention in those. */
  private static final int WEEK = 2;

  private static final long DWELL_CAP_MS = 5 * 60_000;
  private static final double PER_SEARCH = 1;
  private static final double PER_PRODUCT_VIEW = 1;
  private static final double ATTENTION_PER_VIEW_S = 10;
  /** A decayed sum below this is zero. */
  private static final double NEGLIGIBLE = 1e-9;

  private static final int CATEGORIES = 16;
  private static final byte VERSION = 1;

  private static final class Entry {
    final byte[] category;
    double attention;
    double error;

    Entry(byte[] category, double attention, double error) {
      this.category = category;
      this.attention = attention;
      this.error = error;
    }
  }

  private long asOf;
  private final double[] engagement = new double[HALF_LIVES_MS.length];
  private final List<Entry> entries = new ArrayList<>(CATEGORIES);

  /** Of whom nothing is known. */
  Shopper() {}

  /** As stored. */
  Shopper(JacksonSerdes.Stored stored) {
    asOf = stored.asOf();
    System.arraycopy(stored.engagement(), 0, engagement, 0, engagement.length);
    for (JacksonSerdes.Entry entry : stored.attention()) {
      byte[] category = entry.category().getBytes(StandardCharsets.UTF_8);
      entries.add(new Entry(category, entry.attention(), entry.error()));
    }
  }

  /** To be stored. */
  JacksonSerdes.Stored stored() {
    List<JacksonSerdes.Entry> attention = new ArrayList<>(entries.size());
    for (Entry entry : entries) {
      String category = new String(entry.category, StandardCharsets.UTF_8);
      attention.add(new JacksonSerdes.Entry(category, entry.attention, entry.error));
    }
    return new JacksonSerdes.Stored(asOf, engagement, attention);
  }

  /** Takes in the next event of this shopper. */
  Shopper fold(Action action) {
    moveTo(action.at());
    double dwellS = Math.min(action.dwellMs(), DWELL_CAP_MS) / 1000.0;
    String category = action.category();
    switch (action.kind()) {
      case PAGE_VIEW -> {
        if (category != null) {
          engage(0, dwellS);
        }
      }
      case PRODUCT_LIST_VIEW -> engage(0, dwellS);
      case SEARCH -> engage(PER_SEARCH, dwellS);
      case PRODUCT_VIEW -> engage(PER_PRODUCT_VIEW, dwellS);
      case OTHER -> {}
    }
    if (category != null) {
      attend(category.getBytes(StandardCharsets.UTF_8), ATTENTION_PER_VIEW_S + dwellS);
    }
    return this;
  }

  private void moveTo(long at) {
    long elapsed = at - asOf;
    boolean isNew = asOf == 0;
    asOf = at;
    if (isNew || elapsed <= 0) {
      return;
    }
    double week = 1;
    for (int place = 0; place < engagement.length; place++) {
      double factor = Math.pow(2, -elapsed / HALF_LIVES_MS[place]);
      engagement[place] = decayed(engagement[place], factor);
      if (place == WEEK) {
        week = factor;
      }
    }
    boolean forgotten = false;
    for (Entry entry : entries) {
      entry.attention = decayed(entry.attention, week);
      entry.error = decayed(entry.error, week);
      forgotten |= entry.attention == 0;
    }
    if (forgotten) {
      entries.removeIf(entry -> entry.attention == 0);
    }
  }

  private static double decayed(double sum, double factor) {
    double left = sum * factor;
    return left < NEGLIGIBLE ? 0 : left;
  }

  private void engage(double worth, double dwellS) {
    for (int place = 0; place < engagement.length; place++) {
      engagement[place] += worth + dwellS / 60;
    }
  }

  private void attend(byte[] category, double attention) {
    Entry least = null;
    int leastPlace = 0;
    for (int place = 0; place < entries.size(); place++) {
      Entry entry = entries.get(place);
      if (Arrays.equals(entry.category, category)) {
        entry.attention += attention;
        return;
      }
      if (least == null || entry.attention < least.attention) {
        least = entry;
        leastPlace = place;
      }
    }
    if (entries.size() < CATEGORIES) {
      entries.add(new Entry(category, attention, 0));
    } else {
      entries.set(leastPlace, new Entry(category, least.attention + attention, least.attention));
    }
  }

  /** A short stored form: numbers in network order. */
  byte[] toBytes() {
    int size = 1 + 8 + 8 * engagement.length + 1;
    for (Entry entry : entries) {
      size += 2 + entry.category.length + 16;
    }
    ByteBuffer bytes = ByteBuffer.allocate(size).put(VERSION).putLong(asOf);
    for (double sum : engagement) {
      bytes.putDouble(sum);
    }
    bytes.put((byte) entries.size());
    for (Entry entry : entries) {
      bytes.putShort((short) entry.category.length).put(entry.category);
      bytes.putDouble(entry.attention).putDouble(entry.error);
    }
    return bytes.array();
  }

  /** Reads the short stored form. */
  static Shopper fromBytes(byte[] stored) {
    ByteBuffer bytes = ByteBuffer.wrap(stored);
    if (bytes.get() != VERSION) {
      throw new IllegalArgumentException("a shopper of an unknown version");
    }
    Shopper shopper = new Shopper();
    shopper.asOf = bytes.getLong();
    for (int place = 0; place < shopper.engagement.length; place++) {
      shopper.engagement[place] = bytes.getDouble();
    }
    for (int left = bytes.get(); left > 0; left--) {
      byte[] category = new byte[bytes.getShort()];
      bytes.get(category);
      shopper.entries.add(new Entry(category, bytes.getDouble(), bytes.getDouble()));
    }
    return shopper;
  }
}
