import com.google.gson.Gson;
import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.AliasMessage;
import com.segment.analytics.messages.GroupMessage;
import com.segment.analytics.messages.IdentifyMessage;
import com.segment.analytics.messages.Message;
import com.segment.analytics.messages.MessageBuilder;
import com.segment.analytics.messages.PageMessage;
import com.segment.analytics.messages.ScreenMessage;
import com.segment.analytics.messages.TrackMessage;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Sends rounds of events with com.segment.analytics.java:analytics. Arguments and output: ../README.md */
public final class Send {
  private static final Map<String, Object> PRODUCT =
      Map.of("product_id", "p1", "category", "shoes", "price", 59.9, "currency", "EUR", "quantity", 1);

  private final ConcurrentLinkedQueue<String> errors = new ConcurrentLinkedQueue<>();
  private final AtomicInteger answered = new AtomicInteger();
  private final Analytics analytics;
  private int sent;

  private Send(String url, String writeKey) {
    // No path: the SDK's own is /v1/import/.
    analytics =
        Analytics.builder(writeKey)
            .endpoint(url)
            .flushQueueSize(20)
            .flushInterval(1, TimeUnit.SECONDS)
            .callback(
                new Callback() {
                  @Override
                  public void success(Message message) {
                    answered.incrementAndGet();
                  }

                  @Override
                  public void failure(Message message, Throwable error) {
                    errors.add(String.valueOf(error));
                    answered.incrementAndGet();
                  }
                })
            .build();
  }

  private void call(MessageBuilder<?, ?> message) {
    analytics.enqueue(message);
    sent++;
  }

  private void round(int round) {
    String user = "user-" + round;
    call(IdentifyMessage.builder().userId(user).traits(Map.of("name", "Ann", "city", "Ghent")));
    call(PageMessage.builder("Shoes").userId(user).properties(Map.of("url", "https://shop.example/shoes?q=1")));
    call(ScreenMessage.builder("Shoes").userId(user));
    call(TrackMessage.builder("Product Viewed").userId(user).properties(PRODUCT));
    call(TrackMessage.builder("Product Added").userId(user).properties(PRODUCT));
    Map<String, Object> order =
        Map.of("order_id", "o" + round, "revenue", 59.9, "currency", "EUR", "products", List.of(PRODUCT));
    call(TrackMessage.builder("Order Completed").userId(user).properties(order));
    call(GroupMessage.builder("club").userId(user));
    call(AliasMessage.builder("guest-" + round).userId(user));
  }

  public static void main(String[] args) throws InterruptedException {
    Send send = new Send(args[0], args[1]);
    if (args.length > 4) {
      send.call(TrackMessage.builder("Product Viewed").userId("x".repeat(300)).properties(PRODUCT));
    }
    for (int round = 0; round < Integer.parseInt(args[2]); round++) {
      send.round(round);
      Thread.sleep(Long.parseLong(args[3]));
    }
    send.analytics.flush();
    while (send.answered.get() < send.sent) {
      Thread.sleep(10);
    }
    send.analytics.shutdown();
    System.out.println(new Gson().toJson(Map.of("sent", send.sent, "errors", send.errors)));
    System.exit(0);
  }
}
