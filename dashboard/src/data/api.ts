/* The API of this weir: the same address that the page came from. */
import type { Dashboard } from './dashboard_sql';
import { parseExact } from './json';
import type { Targets } from './quality_sql';

export interface Column {
  name: string;
  type: string;
}

export interface Answer {
  columns: Column[];
  rows: unknown[][];
  elapsedMs: number;
  truncated: boolean;
}

export interface Config {
  env: string;
  version: string;
  ingestUrl: string;
  demo: { tenant: string; readKey: string; writeKey: string } | null;
}

export interface WhoAmI {
  tenant: string;
  tier?: string;
  quotaPerMinute?: number;
  retentionDays?: number;
}

/** status 0: no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  /** Asking again later may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503;
  }
}

async function request(path: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...init, cache: 'no-store', credentials: 'omit' });
    text = await response.text();
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ApiError(0, 'no_answer', 'weir does not answer');
  }
  let body: unknown;
  try {
    body = parseExact(text);
  } catch {
    throw new ApiError(response.status, 'not_json', `weir answered ${response.status} without JSON`);
  }
  if (response.ok) return body;
  const error = body as { code?: string; message?: string };
  throw new ApiError(response.status, error.code ?? 'error', error.message ?? `weir answered ${response.status}`);
}

function bearer(key: string): Record<string, string> {
  return { Authorization: `Bearer ${key}` };
}

export async function askSql(key: string, sql: string, signal?: AbortSignal): Promise<Answer> {
  const body = (await request('/v1/sql', {
    method: 'POST',
    headers: { ...bearer(key), 'Content-Type': 'application/json' },
    body: JSON.stringify({ sql }),
    signal: signal ?? null,
  })) as { columns: Column[]; rows: unknown[][]; elapsed_ms: number; truncated?: boolean };
  return { columns: body.columns, rows: body.rows, elapsedMs: body.elapsed_ms, truncated: body.truncated === true };
}

export async function fetchConfig(): Promise<Config> {
  const body = (await request('/v1/config', {})) as {
    env: string;
    version: string;
    ingest_url: string;
    demo: { tenant: string; read_key: string; write_key: string } | null;
  };
  const demo = body.demo;
  return {
    env: body.env,
    version: body.version,
    ingestUrl: body.ingest_url.replace(/\/$/, ''),
    demo: demo && { tenant: demo.tenant, readKey: demo.read_key, writeKey: demo.write_key },
  };
}

export async function fetchWhoAmI(key: string): Promise<WhoAmI> {
  const body = (await request('/v1/whoami', { headers: bearer(key) })) as {
    tenant: string;
    tier?: string;
    quota_per_minute?: number | null;
    retention_days?: number | null;
  };
  return {
    tenant: body.tenant,
    ...(body.tier ? { tier: body.tier } : {}),
    ...(body.quota_per_minute ? { quotaPerMinute: body.quota_per_minute } : {}),
    ...(body.retention_days ? { retentionDays: body.retention_days } : {}),
  };
}

/** A task of the stream: a partition, through which events of every tenant pass. What nobody has measured yet is absent. */
export interface StreamTask {
  partition: number;
  events?: number;
  lag_records?: number;
  lag_seconds?: number;
  state_bytes?: number;
  state_disk_bytes?: number;
  state_panes?: number;
  commits?: number;
  /** Only where several processes share the partitions: whether one has it, and which, or had it last. */
  owned?: boolean;
  owner?: string;
  state?: 'restoring' | 'running' | 'stopping' | 'failed';
  restore_left_records?: number;
  not_owned_since_ms?: number;
}

/** What a sink has delivered; with the journal in Kafka, of one partition. */
export interface StreamSink {
  sink: string;
  partition?: string;
  up: number;
  lag_seconds?: number;
  records?: number;
  refused?: number;
  skipped?: number;
}

export interface StreamHealth {
  at_ms: number;
  partitions: StreamTask[];
  store: { lag_seconds?: number; pending_rows?: number; queryable_seconds?: number };
  /** How far this tenant's event time is behind the clock, by partition. */
  watermarks: { partition: string; delay_seconds: number }[];
  /** Those that this tenant's results go to. */
  sinks?: StreamSink[];
}

export async function fetchStream(key: string, signal: AbortSignal): Promise<StreamHealth> {
  return (await request('/v1/stream', { headers: bearer(key), signal })) as StreamHealth;
}

/** What data_quality is held against (docs/quality.md). */
export async function fetchTargets(key: string, signal: AbortSignal): Promise<Targets> {
  return (await request('/v1/quality', { headers: bearer(key), signal })) as Targets;
}

/** A dashboard for each domain, as the tenant of the key sees them. */
export async function fetchDashboards(key: string, signal: AbortSignal): Promise<Dashboard[]> {
  const body = await request('/v1/dashboards', { headers: bearer(key), signal });
  return (body as { dashboards: Dashboard[] }).dashboards;
}
