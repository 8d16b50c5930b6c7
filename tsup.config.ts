import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    'protocol/index': 'src/protocol/index.ts',
    'cloud/index': 'src/cloud/index.ts',
    'cloud/node/index': 'src/cloud/node/index.ts',
    'cloud/lmdb/index': 'src/cloud/lmdb/index.ts',
    'connector/index': 'src/connector/index.ts',
    'connector/node/index': 'src/connector/node/index.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  // Self-references in examples resolve through `paths`; the bundle never follows them.
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  external: [/^node:/],
  clean: true,
  splitting: true,
  sourcemap: false,
})
