/* Server-sent events from a stream of bytes. EventSource can't send the key in a header (it would stand in the address,
 * and so in logs), hides the status of a refusal, and leaves no say over when it tries again. */

export interface SseMessage {
  id: string | undefined;
  data: string;
}

export class SseParser {
  private rest = '';
  private data: string[] = [];
  private id: string | undefined;
  private readonly decoder = new TextDecoder();

  /** Whole messages of the next bytes. Comments and unknown fields are skipped. */
  push(bytes: Uint8Array): SseMessage[] {
    const messages: SseMessage[] = [];
    this.rest += this.decoder.decode(bytes, { stream: true });
    let at: number;
    while ((at = this.rest.indexOf('\n')) >= 0) {
      const line = this.rest.slice(0, at).replace(/\r$/, '');
      this.rest = this.rest.slice(at + 1);
      this.line(line, messages);
    }
    return messages;
  }

  private line(line: string, out: SseMessage[]): void {
    if (line === '') {
      if (this.data.length) out.push({ id: this.id, data: this.data.join('\n') });
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'id') this.id = value;
  }
}
