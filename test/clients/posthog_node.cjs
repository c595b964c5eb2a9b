const { PostHog } = require('posthog-node')
const client = new PostHog(process.env.WEIR_KEY, { host: process.env.WEIR_URL, flushAt: 15, flushInterval: 200 })
let failed = 0
client.on('error', (e) => { console.error(e); failed = 1 })
const distinctId = 'user-1'
client.identify({ distinctId, properties: { plan: 'pro', $anon_distinct_id: 'anon-1' } })
client.capture({ distinctId, event: 'Order Completed', properties: { amount: 19.99, currency: 'EUR' } })
client.capture({ distinctId: 'anon-1', event: '$pageview', properties: { $current_url: 'https://shop.example/', $session_id: 's-1' } })
client.capture({ distinctId: 'anon-1', event: '$screen', properties: { $screen_name: 'Start' } })
client.groupIdentify({ groupType: 'company', groupKey: 'g-1', properties: { name: 'ACME' }, distinctId })
client.alias({ distinctId, alias: 'anon-1' })
for (let i = 0; i < 50; i++) client.capture({ distinctId: 'anon-' + i, event: 'Clicked', properties: { i } })
client.shutdown(10000).then(() => process.exit(failed))
