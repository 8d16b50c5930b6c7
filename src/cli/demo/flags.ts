/**
 * The options of the demo: `app-proxy demo` and `npm run demo` take the same.
 */
import type { Flags } from '../program/command.ts'

export const DEMO_FLAGS = {
  port: { value: 'N', text: 'the port users come to (default: a free one)' },
  publish: {
    value: 'NAME=URL',
    isMany: true,
    text: 'publish your own local application as NAME.localhost, behind sign-in',
  },
  'publish-open': {
    value: 'NAME=URL',
    isMany: true,
    text: 'the same, open to everyone',
  },
  'external-host': {
    value: 'NAME',
    isMany: true,
    text: 'show that application the host that users see, instead of its own',
  },
  'state-dir': {
    value: 'DIR',
    text: 'keep keys, certificates and passwords there (default: a temporary directory)',
  },
  https: { text: 'serve users over TLS, under a generated certificate authority' },
  instances: {
    value: 'N',
    text: 'so many instances of the cloud, which share work over NATS (default: one, without it)',
  },
} as const satisfies Flags
