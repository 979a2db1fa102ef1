// Sends rounds of events with @segment/analytics-node. Arguments and output: ../README.md
import { setTimeout as pause } from "node:timers/promises";
import { Analytics } from "@segment/analytics-node";

const [url, writeKey, rounds, pauseMs, bad] = process.argv.slice(2);
const errors = [];
let sent = 0;

const analytics = new Analytics({ writeKey, host: url, flushAt: 20, flushInterval: 500 });
analytics.on("error", ({ reason }) => errors.push(String(reason)));

const call = (method, event) => {
  analytics[method](event);
  sent += 1;
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

await analytics.closeAndFlush({ timeout: 120_000 });
console.log(JSON.stringify({ sent, errors }));
