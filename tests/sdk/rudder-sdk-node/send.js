// Sends rounds of events with @rudderstack/rudder-sdk-node. Arguments and output: ../README.md
import { setTimeout as pause } from "node:timers/promises";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [dataPlaneUrl, writeKey, rounds, pauseMs, bad] = process.argv.slice(2);
const errors = [];
let sent = 0;
let answered = 0;

const analytics = new RudderAnalytics(writeKey, {
  dataPlaneUrl,
  flushInterval: 500,
  retryCount: 10,
  logLevel: "error",
  errorHandler: (error) => errors.push(String(error)),
});
const call = (method, event) => {
  sent += 1;
  analytics[method](event, () => (answered += 1));
};
const product = { product_id: "p1", category: "shoes", price: 59.9, currency: "EUR" };

if (bad) call("track", { userId: "x".repeat(300), event: "Product Viewed", properties: product });
for (let round = 0; round < Number(rounds); round += 1) {
  const userId = `user-${round}`;
  call("identify", { userId, traits: { name: "Ann", city: "Ghent" } });
  call("page", { userId, name: "Shoes", properties: { url: "https://shop.example/shoes?q=1" } });
  call("screen", { userId, name: "Shoes" });
  call("track", { userId, event: "Product Viewed", properties: product });
  call("track", { userId, event: "Product Added", properties: { ...product, quantity: 1 } });
  const order = { order_id: `o${round}`, revenue: 59.9, currency: "EUR", products: [{ ...product, quantity: 1 }] };
  call("track", { userId, event: "Order Completed", properties: order });
  call("group", { userId, groupId: "club" });
  call("alias", { userId, previousId: `guest-${round}` });
  await pause(Number(pauseMs));
}

while (answered < sent) {
  analytics.flush();
  await pause(50);
}
console.log(JSON.stringify({ sent, errors }));
