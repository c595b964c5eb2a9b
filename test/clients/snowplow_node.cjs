const s = require('@snowplow/node-tracker')
let failed = 0
const tracker = s.newTracker({ namespace: 'weir', appId: process.env.WEIR_KEY, encodeBase64: process.env.WEIR_BASE64 === '1' },
  { endpoint: process.env.WEIR_URL, eventMethod: 'post', bufferSize: 15, retryFailedRequests: false, onRequestFailure: (e) => { console.error(e); failed = 1 } })
tracker.setUserId('user-1'); tracker.setDomainUserId('anon-1'); tracker.setSessionId('s-1'); tracker.setPlatform('srv'); tracker.setLang('de')
const entity = [{ schema: 'iglu:com.example/plan/jsonschema/1-0-0', data: { plan: 'pro' } }]
tracker.track(s.buildPageView({ pageUrl: 'https://shop.example/', pageTitle: 'Home', referrer: 'https://search.example/' }), entity)
tracker.track(s.buildStructEvent({ category: 'shop', action: 'Order Completed', label: 'EUR', property: 'p', value: 19.99 }))
tracker.track(s.buildSelfDescribingEvent({ event: { schema: 'iglu:com.example/order_completed/jsonschema/1-0-0', data: { amount: 19.99, currency: 'EUR' } } }))
tracker.track(s.buildScreenView({ name: 'Start', id: 'i' }))
tracker.track(s.buildPagePing({ pageUrl: 'https://shop.example/' }))
for (let i = 0; i < 50; i++) { tracker.setDomainUserId('anon-' + i); tracker.track(s.buildStructEvent({ category: 'c', action: 'Clicked', value: i })) }
tracker.flush()
setTimeout(() => process.exit(failed), 1500)
