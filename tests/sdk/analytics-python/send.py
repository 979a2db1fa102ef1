"""Sends rounds of events with segment-analytics-python. Arguments and output: ../README.md"""

import json
import sys
import time

from segment.analytics.client import Client

url, write_key, rounds, pause_ms = sys.argv[1:5]
bad = len(sys.argv) > 5
errors = []
sent = 0

client = Client(write_key, host=url, on_error=lambda error, _: errors.append(str(error)), upload_size=20)


def call(method, *args, **kwargs):
    global sent
    accepted, _ = getattr(client, method)(*args, **kwargs)
    if not accepted:
        errors.append("the queue is full")
    sent += 1


product = {"product_id": "p1", "category": "shoes", "price": 59.9, "currency": "EUR"}

if bad:
    call("track", "x" * 300, "Product Viewed", product)
for number in range(int(rounds)):
    user = f"user-{number}"
    call("identify", user, {"name": "Ann", "city": "Ghent"})
    call("page", user, name="Shoes", properties={"url": "https://shop.example/shoes?q=1"})
    call("screen", user, name="Shoes")
    call("track", user, "Product Viewed", product)
    call("track", user, "Product Added", {**product, "quantity": 1})
    order = {"order_id": f"o{number}", "revenue": 59.9, "currency": "EUR", "products": [{**product, "quantity": 1}]}
    call("track", user, "Order Completed", order)
    call("group", user, "club")
    call("alias", f"guest-{number}", user)
    time.sleep(int(pause_ms) / 1000)

client.shutdown()
print(json.dumps({"sent": sent, "errors": errors}))
