import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}/index.ts`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^app-proxy$/, replacement: source('protocol') },
      {
        find: /^app-proxy\/(.+)$/,
        replacement: fileURLToPath(new URL('./src/$1/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['src/**/*.test.ts', 'spec/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 30_000,
    // Every core: the default leaves one of two idle.
    maxWorkers: '100%',
    hookTimeout: 60_000,
    reporters: ['default', './test/closing-line-reporter.ts'],
  },
})
