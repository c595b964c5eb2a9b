/* The tenants whose read keys this browser knows. Keys stay in its local storage; the demo's is never stored. */

export interface Tenant {
  id: string;
  readKey: string;
  isDemo: boolean;
}

const STORE = 'weir.tenants';

export function loadTenants(): Tenant[] {
  try {
    const list = JSON.parse(localStorage.getItem(STORE) ?? '[]') as unknown;
    if (!Array.isArray(list)) return [];
    return list.flatMap((item: unknown) => {
      const { id, readKey } = item as { id?: unknown; readKey?: unknown };
      return typeof id === 'string' && typeof readKey === 'string' ? [{ id, readKey, isDemo: false }] : [];
    });
  } catch {
    return []; // storage is off, or holds something else
  }
}

export function saveTenants(tenants: readonly Tenant[]): void {
  try {
    const kept = tenants.filter((t) => !t.isDemo).map(({ id, readKey }) => ({ id, readKey }));
    localStorage.setItem(STORE, JSON.stringify(kept));
  } catch {
    /* Storage is off: the keys last as long as the page. */
  }
}

/** With the tenant added or its key renewed. */
export function withTenant(tenants: readonly Tenant[], tenant: Tenant): Tenant[] {
  return [...tenants.filter((t) => t.id !== tenant.id), tenant];
}
