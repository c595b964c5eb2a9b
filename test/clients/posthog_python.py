import os
import posthog

failed = []
client = posthog.Posthog(os.environ["WEIR_KEY"], host=os.environ["WEIR_URL"], gzip=bool(os.environ.get("WEIR_GZIP")), on_error=lambda error, batch: failed.append(error))
client.set(distinct_id="user-1", properties={"plan": "pro"})
client.capture("Order Completed", distinct_id="user-1", properties={"amount": 19.99, "currency": "EUR"})
client.capture("$pageview", distinct_id="anon-1", properties={"$current_url": "https://shop.example/", "$session_id": "s-1"})
client.capture("$screen", distinct_id="anon-1", properties={"$screen_name": "Start"})
client.group_identify("company", "g-1", {"name": "ACME"}, distinct_id="user-1")
client.alias("user-1", "anon-1")
for i in range(50):
    client.capture("Clicked", distinct_id="anon-%d" % i, properties={"i": i})
client.shutdown()
assert not failed, failed
