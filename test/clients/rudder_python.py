import os
import rudderstack.analytics as analytics

analytics.write_key = os.environ["WEIR_KEY"]
analytics.dataPlaneUrl = os.environ["WEIR_URL"]
failed = []
analytics.on_error = lambda error, items: failed.append(error)
analytics.identify("user-1", {"plan": "pro"}, anonymous_id="anon-1")
analytics.track("user-1", "Order Completed", {"amount": 19.99, "currency": "EUR"}, anonymous_id="anon-1")
analytics.page("user-1", name="Home", properties={"url": "https://shop.example/"})
analytics.screen("user-1", name="Start")
analytics.group("user-1", "g-1", {"name": "ACME"})
analytics.alias("anon-1", "user-1")
for i in range(50):
    analytics.track(anonymous_id="anon-%d" % i, event="Clicked", properties={"i": i})
analytics.shutdown()
assert not failed, failed
