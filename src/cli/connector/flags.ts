/**
 * The options of the commands about a connector.
 */
import type { Flags, Given } from '../program/command.ts'

const STATE_DIR = {
  value: 'DIR',
  isRequired: true,
  text: 'where its key and certificate are kept',
} as const

/** How the cloud is reached. */
const CLOUD = {
  url: {
    value: 'URL',
    isRequired: true,
    text: "the cloud's listener for connectors, https",
  },
  ca: { value: 'FILE', text: "the cloud's certificate authority (default: the public ones)" },
} as const

/** What a connector without identity shows. */
const PROOF = {
  'token-file': { value: 'FILE', text: "a registrar's token; - reads it from stdin" },
  'ticket-file': { value: 'FILE', text: 'a one-time ticket; - reads it from stdin' },
  name: { value: 'NAME', text: "what operators know it by (default: this machine's name)" },
} as const

/** Where it says how it does. */
const HEALTH = {
  'health-port': { value: 'PORT', text: 'for /livez, /readyz and /metrics (default: none)' },
  'health-host': { value: 'HOST', text: 'the address of that port (default: 127.0.0.1)' },
} as const

/** What it writes on stderr. */
const LOG = {
  'log-level': {
    value: 'LEVEL',
    text: 'the least that is written: error, warning, info or debug (default: info)',
  },
  'log-format': { value: 'FORMAT', text: 'json, an object a line, or text (default: json)' },
} as const

export const CONNECTOR_RUN_FLAGS = {
  ...CLOUD,
  'state-dir': STATE_DIR,
  ...PROOF,
  'sign-on': {
    value: 'FILE',
    text: 'secrets and certificates that applications are shown, keys of assertions: JSON',
  },
  ...HEALTH,
  ...LOG,
} as const satisfies Flags
export type ConnectorRunGiven = Given<typeof CONNECTOR_RUN_FLAGS>

export const CONNECTOR_REGISTER_FLAGS = {
  ...CLOUD,
  'state-dir': STATE_DIR,
  issuer: { value: 'URL', text: 'where a person confirms the registration, by a code' },
  'client-id': { value: 'ID', text: 'the public client at the issuer (default: registrar)' },
  audience: {
    value: 'NAME',
    text: 'the service that the token is for (default: the issuer decides)',
  },
  scope: { value: 'NAMES', text: 'what is asked for (default: openid register)' },
  ...PROOF,
} as const satisfies Flags
export type ConnectorRegisterGiven = Given<typeof CONNECTOR_REGISTER_FLAGS>

export const CONNECTOR_CHECK_FLAGS = {
  ...CLOUD,
  'state-dir': STATE_DIR,
  group: { value: 'ID', text: 'the connector group that it should be in (default: any)' },
  patience: { value: 'SECONDS', text: 'how long each step may take (default: 5)' },
  ...HEALTH,
} as const satisfies Flags
export type ConnectorCheckGiven = Given<typeof CONNECTOR_CHECK_FLAGS>

export const CONNECTOR_STATUS_FLAGS = { 'state-dir': STATE_DIR } as const satisfies Flags
export type ConnectorStatusGiven = Given<typeof CONNECTOR_STATUS_FLAGS>

export const CONNECTOR_SERVICE_FLAGS = {
  url: CLOUD.url,
  // Files of the machine that it runs on, which may be another.
  ca: { ...CLOUD.ca, value: 'PATH' },
  'sign-on': { ...CONNECTOR_RUN_FLAGS['sign-on'], value: 'PATH' },
  ...HEALTH,
  ...LOG,
  user: { value: 'NAME', text: 'who it runs as (default: app-proxy)' },
  'environment-file': {
    value: 'PATH',
    text: "where a proxy's URL with its password is set (default: nowhere)",
  },
} as const satisfies Flags
export type ConnectorServiceGiven = Given<typeof CONNECTOR_SERVICE_FLAGS>

export const CONNECTOR_KEY_FLAGS = { 'state-dir': STATE_DIR } as const satisfies Flags
export type ConnectorKeyGiven = Given<typeof CONNECTOR_KEY_FLAGS>
