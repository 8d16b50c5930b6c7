import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}/index.ts`, import.meta.url))

/** Files that share processes: most of their time would go by in loading the same modules again. */
const SHARED = [
  'spec/**/*.test.ts',
  'test/{assertion,cli,cloud,connector,issuers,protocol,runtime}/**/*.test.ts',
]
/** Of them those that watch, or change, what belongs to the whole process. */
const NOT_SHARED: readonly string[] = []

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
    testTimeout: 30_000,
    // Every core: the default leaves one of two idle.
    maxWorkers: '100%',
    hookTimeout: 60_000,
    reporters: ['default', './test/closing-line-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: SHARED,
          exclude: ['**/node_modules/**', ...NOT_SHARED],
          isolate: false,
          setupFiles: './test/shared-process.ts',
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', ...NOT_SHARED],
          exclude: ['**/node_modules/**', ...SHARED.filter((one) => one.startsWith('test/'))],
          // After the others: processes are shared by files that come one after the other.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
