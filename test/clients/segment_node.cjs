const { Analytics } = require('@segment/analytics-node')
const analytics = new Analytics({ writeKey: process.env.WEIR_KEY, host: process.env.WEIR_URL, maxEventsInBatch: 15, flushInterval: 200 })
let failed = 0
analytics.on('error', (e) => { console.error(e); failed = 1 })
const userId = 'user-1', anonymousId = 'anon-1'
analytics.identify({ userId, anonymousId, traits: { plan: 'pro', email: 'a@example.com' } })
analytics.track({ userId, anonymousId, event: 'Order Completed', properties: { amount: 19.99, currency: 'EUR' } })
analytics.page({ anonymousId, name: 'Home', properties: { url: 'https://shop.example/', path: '/' } })
analytics.screen({ anonymousId, name: 'Start' })
analytics.group({ userId, groupId: 'g-1', traits: { name: 'ACME' } })
analytics.alias({ userId, previousId: anonymousId })
for (let i = 0; i < 50; i++) analytics.track({ anonymousId: 'anon-' + i, event: 'Clicked', properties: { i } })
analytics.closeAndFlush().then(() => process.exit(failed))
