/* UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, a counter within the millisecond, 62 random bits. Text order is the
 * order of creation within a tab, so the queue needs no other. */

let lastMs = 0;
let counter = 0;

function random(bytes: Uint8Array): Uint8Array {
  try {
    return crypto.getRandomValues(bytes);
  } catch {
    return bytes.map(() => Math.random() * 256);
  }
}

export function uuidv7(nowMs: number): string {
  const bytes = random(new Uint8Array(16));
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = bytes[6]! & 0x3f; // room for 4,000 more before the millisecond is borrowed from
  } else if (++counter > 0xfff) {
    counter = 0;
    lastMs++;
  }
  for (let i = 0, ms = lastMs; i < 6; i++) {
    bytes[5 - i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = 0x70 | (counter >> 8);
  bytes[7] = counter & 0xff;
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return Array.from(bytes, (byte, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + (byte + 256).toString(16).slice(1)).join('');
}
