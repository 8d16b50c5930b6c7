import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    'protocol/index': 'src/protocol/index.ts',
    // Nobody imports these two: they keep the frame codec in files of its own, for whoever bundles
    // no more than that, and what writes MessagePack out of them.
    'protocol/frames': 'src/protocol/frames.ts',
    'protocol/msgpack-writer': 'src/protocol/wire/msgpack-writer.ts',
    'assertion/index': 'src/assertion/index.ts',
    'cloud/index': 'src/cloud/index.ts',
    'cloud/admin/index': 'src/cloud/admin/index.ts',
    'cloud/node/index': 'src/cloud/node/index.ts',
    'cloud/lmdb/index': 'src/cloud/lmdb/index.ts',
    'cloud/nats/index': 'src/cloud/nats/index.ts',
    'connector/index': 'src/connector/index.ts',
    'connector/kerberos/index': 'src/connector/kerberos/index.ts',
    'connector/node/index': 'src/connector/node/index.ts',
    'cli/main': 'src/cli/main.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  // Declarations are the compiler's own: tsconfig.build.json.
  dts: false,
  // The program imports the package as everybody does: it makes no other chunks of it.
  external: [/^node:/, /^app-proxy(?:\/|$)/],
  clean: true,
  splitting: true,
  // Maps lead to `src`, which is in the package: once is enough.
  sourcemap: true,
  esbuildOptions: (options) => void (options.sourcesContent = false),
})
