import tseslint from 'typescript-eslint'
import { readyBeforeCallback } from './lint/ready-before-callback.js'

const IMPURE_GLOBALS = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'crypto',
  'process',
  'Buffer',
  'fetch',
  'console',
  'globalThis',
].map((name) => ({
  name,
  message: 'src/protocol is pure: time, randomness and I/O come in as arguments.',
}))

const forbid = (patterns) => ({
  'no-restricted-imports': [
    'error',
    { patterns: patterns.map(([group, message]) => ({ group, message })) },
  ],
})

const NODE = [['node:*'], 'Runtime-neutral room: node:* belongs in its node/ folder.']
const EXAMPLES = [['**/examples/**'], 'Nothing imports examples.']
const CERTIFICATES = [
  ['@peculiar/x509', 'reflect-metadata'],
  'Only src/runtime/x509.ts imports the certificate library (it must load reflect-metadata first).',
]

const MESSAGE_PACK = [
  ['msgpackr', 'msgpackr/*'],
  'Only src/protocol/wire/msgpack-writer.ts imports msgpackr: it writes, and never reads.',
]

const PURE = [
  NODE,
  EXAMPLES,
  CERTIFICATES,
  [
    ['**/cloud/**', '**/connector/**', '../../*'],
    'src/protocol imports nothing of the other rooms.',
  ],
  [['undici', 'jose', 'oauth4webapi', '@peculiar/*', 'lmdb'], 'src/protocol is pure.'],
]

/** The rooms of the architecture, and who may enter which. */
const rooms = [
  {
    files: ['src/protocol/**/*.ts'],
    rules: {
      ...forbid([...PURE, MESSAGE_PACK]),
      'no-restricted-globals': ['error', ...IMPURE_GLOBALS],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
    },
  },
  { files: ['src/protocol/wire/msgpack-writer.ts'], rules: forbid(PURE) },
  {
    files: ['src/assertion/**/*.ts'],
    rules: forbid([
      NODE,
      EXAMPLES,
      CERTIFICATES,
      MESSAGE_PACK,
      [
        ['**/cloud/**', '**/connector/**', '**/node/**', 'undici'],
        'Applications import it: it knows Web Crypto, and neither end.',
      ],
    ]),
  },
  {
    files: ['src/cloud/**/*.ts'],
    ignores: ['src/cloud/node/**', 'src/cloud/lmdb/**', 'src/cloud/nats/**'],
    rules: forbid([
      NODE,
      EXAMPLES,
      CERTIFICATES,
      MESSAGE_PACK,
      [
        [
          '**/connector/**',
          'undici',
          'lmdb',
          '@nats-io/*',
          '**/node/**',
          '**/lmdb/**',
          '**/nats/**',
        ],
        'The cloud does not know the connector, nor its own bindings.',
      ],
    ]),
  },
  {
    files: ['src/cloud/node/**/*.ts', 'src/cloud/lmdb/**/*.ts', 'src/cloud/nats/**/*.ts'],
    rules: forbid([
      EXAMPLES,
      CERTIFICATES,
      MESSAGE_PACK,
      [['**/connector/**'], 'The cloud does not know the connector.'],
    ]),
  },
  {
    files: ['src/connector/**/*.ts'],
    ignores: ['src/connector/node/**', 'src/connector/kerberos/**'],
    rules: forbid([
      NODE,
      EXAMPLES,
      CERTIFICATES,
      MESSAGE_PACK,
      [
        ['**/cloud/**', 'undici', '**/node/**'],
        'The connector does not know the cloud, nor its own bindings.',
      ],
    ]),
  },
  {
    files: ['src/connector/node/**/*.ts', 'src/connector/kerberos/**/*.ts'],
    rules: forbid([
      EXAMPLES,
      CERTIFICATES,
      MESSAGE_PACK,
      [['**/cloud/**'], 'The connector does not know the cloud.'],
    ]),
  },
  {
    files: ['src/cli/**/*.ts'],
    rules: forbid([EXAMPLES, CERTIFICATES, MESSAGE_PACK]),
  },
  {
    files: ['examples/**/*.ts'],
    rules: forbid([
      [['**/src/**'], "Examples use the public API only: import 'app-proxy/…'."],
      CERTIFICATES,
    ]),
  },
]

const LOOP = ':matches(ForStatement, ForOfStatement, ForInStatement, WhileStatement)'
const GROWING = 'A list that is copied for each of its elements costs their square: push instead.'
/** Lists grow by what a peer sends. */
const linear = [
  `${LOOP} AssignmentExpression > :matches(ArrayExpression, ObjectExpression) > SpreadElement`,
  `${LOOP} CallExpression[callee.property.name="set"] > ArrayExpression > SpreadElement`,
  `${LOOP} CallExpression[callee.property.name=/^(flat|concat|unshift)$/]`,
  'CallExpression[callee.property.name="reduce"] SpreadElement',
].map((selector) => ({ selector, message: GROWING }))

export default tseslint.config(
  { ignores: ['dist/**', 'site/**', 'coverage/**', 'node_modules/**', '.state/**'] },
  ...tseslint.configs.strict,
  {
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['*.config.{js,ts}', 'test/closing-line-reporter.ts'],
    rules: { 'no-restricted-exports': 'off' },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...linear] },
  },
  {
    files: ['src/**/*.ts', 'examples/**/*.ts'],
    plugins: { lifecycle: { rules: { 'ready-before-callback': readyBeforeCallback } } },
    rules: { 'lifecycle/ready-before-callback': 'error' },
  },
  // Tests may reach into any room and use any clock.
  ...rooms.map((room) => ({ ...room, ignores: [...(room.ignores ?? []), '**/*.test.ts'] })),
)
