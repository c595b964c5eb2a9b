/* How to send, for each kind of sender. */

export type Sender = 'curl' | 'browser' | 'segment' | 'python' | 'cli';

export const SENDERS: readonly { value: Sender; label: string }[] = [
  { value: 'curl', label: 'curl' },
  { value: 'browser', label: 'Browser' },
  { value: 'segment', label: 'Segment (Node)' },
  { value: 'python', label: 'Segment (Python)' },
  { value: 'cli', label: 'weir send' },
];

export function snippet(sender: Sender, ingestUrl: string, apiUrl: string, key: string, tenant: string): string {
  switch (sender) {
    case 'curl':
      return `curl -X POST ${ingestUrl}/track \\
  -u '${key}:' -H 'Content-Type: application/json' \\
  -d '{
    "customer_id": "${tenant}",
    "visitor_id": "visitor-1",
    "session_id": "session-1",
    "event_type": "page_view",
    "event_name": "Home viewed",
    "properties": { "page": "/", "title": "Home" }
  }'`;
    case 'browser':
      return `<!-- Page views come by themselves; clicks of elements with data-weir-event too. -->
<script async src="${apiUrl}/sdk/weir.js" data-key="${key}" data-endpoint="${ingestUrl}"></script>`;
    case 'segment':
      return `import { Analytics } from '@segment/analytics-node';

const analytics = new Analytics({ writeKey: '${key}', host: '${ingestUrl}' });

analytics.track({
  anonymousId: 'visitor-1',
  event: 'Order Completed',
  properties: { amount: 19.99, currency: 'EUR' },
});
await analytics.closeAndFlush();`;
    case 'python':
      return `import segment.analytics as analytics

analytics.write_key = '${key}'
analytics.host = '${ingestUrl}'

analytics.track(anonymous_id='visitor-1', event='Order Completed',
                properties={'amount': 19.99, 'currency': 'EUR'})
analytics.flush()`;
    case 'cli':
      return `# a file of events, one JSON object a line (also .gz .zst .xz)
weir send events.ndjson --url ${ingestUrl} --key ${key}

# or a day of believable traffic, to look around
weir generate --days 1 --tenant ${tenant} --until now \\
  | weir send - --url ${ingestUrl} --key ${key}`;
  }
}
