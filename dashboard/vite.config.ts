import { defineConfig } from 'vite';

// Where `npm run dev` finds a running weir.
const api = process.env['WEIR_API'] ?? 'http://127.0.0.1:8001';

export default defineConfig({
  esbuild: { jsx: 'automatic' },
  build: {
    target: 'es2022',
    // The policy of the page forbids everything inline, and data: but for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
  },
  server: { port: 5173, proxy: { '/v1': api } },
  preview: { proxy: { '/v1': api } },
});
