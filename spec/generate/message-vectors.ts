/**
 * Vectors of the control messages.
 *
 * @module
 */
import {
  type ApplicationReply,
  type ConfigurationReply,
  type RegistrationReply,
  type RegistrationRequest,
  decodeMessage,
  encode,
  encodeMessage,
  type ControlMessages,
} from '../../src/protocol/internal.ts'
import {
  fromHex,
  toHex,
  toJson,
  type InvalidVector,
  type ValidVector,
  type VectorCodec,
  type VectorFile,
} from './vector.ts'

type Entry = readonly [fileName: string, codec: VectorCodec, file: VectorFile]

/** Stands for DER: the vectors are about messages, not about what is inside these octets. */
const DER = fromHex('3003020101')
const SERVER_TIME = 1_700_000_000_000

const registrationRequest: RegistrationRequest = {
  v: 1,
  type: 'registration',
  token: 'eyJhbGciOiJFUzI1NiJ9.e30.AA',
  request: DER,
  instance: { name: 'büro-1', version: '0.1.0' },
  features: ['plain'],
}
/** 256 bits that nobody drew. */
const TICKET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
const byTicket: RegistrationRequest = {
  v: 1,
  type: 'registration',
  ticket: TICKET,
  request: DER,
  instance: { name: 'büro-1', version: '0.1.0' },
  features: ['plain', 'enrolment-ticket'],
}
const registered: RegistrationReply = {
  v: 1,
  type: 'registered',
  tenantId: 'contoso',
  connectorId: 'c-1',
  standing: 'active',
  certificate: DER,
  chain: [DER],
  cloudAuthorities: [],
  serverTime: SERVER_TIME,
}
const configuration: ConfigurationReply = {
  v: 1,
  type: 'configuration',
  serverTime: SERVER_TIME,
  configuration: {
    version: '7',
    groupId: 'g-1',
    groupName: 'Head office',
    instances: { 'cloud-1': 'https://127.0.0.1:8443/' },
    pullEveryMs: 120_000,
    renewAfterMs: 2_592_000_000,
  },
}
const application: ApplicationReply = {
  v: 1,
  type: 'application',
  application: {
    id: 'wiki',
    version: '3',
    internalUrl: 'http://10.0.0.7:8080/wiki/',
    externalUrl: 'https://wiki.example/',
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  },
}

export const MESSAGE_VECTORS: readonly Entry[] = [
  entry(
    'RegistrationRequest',
    "A connector is set up: a registrar's token or a one-time ticket, and a certificate request.",
    [
      ['a registration', registrationRequest],
      ['a registration by a ticket', byTicket],
    ],
    [
      [
        'neither token nor ticket',
        { ...registrationRequest, token: undefined },
        'MALFORMED_MESSAGE',
      ],
      [
        'token and ticket',
        { ...byTicket, token: 'eyJhbGciOiJFUzI1NiJ9.e30.AA' },
        'MALFORMED_MESSAGE',
      ],
      ['a ticket without its feature', { ...byTicket, features: ['plain'] }, 'MALFORMED_MESSAGE'],
      ['a ticket cut short', { ...byTicket, ticket: TICKET.slice(1) }, 'MALFORMED_MESSAGE'],
      ['an empty token', { ...registrationRequest, token: '' }, 'MALFORMED_MESSAGE'],
      ['a request that is text', { ...registrationRequest, request: 'MIIB' }, 'MALFORMED_MESSAGE'],
      ['no instance', { ...registrationRequest, instance: undefined }, 'MALFORMED_MESSAGE'],
    ],
  ),
  entry(
    'RegistrationReply',
    'Its answer: the certificate, or why not.',
    [
      ['registered', registered],
      ['waiting for approval', { ...registered, standing: 'pending', cloudAuthorities: [DER] }],
      ['refused for good', { v: 1, type: 'refused', reason: 'token-role' }],
      [
        'refused for now',
        { v: 1, type: 'refused', reason: 'unavailable', detail: 'busy', retryAfterMs: 5_000 },
      ],
    ],
    [
      ['an unknown standing', { ...registered, standing: 'retired' }, 'MALFORMED_MESSAGE'],
      ['a chain that is one certificate', { ...registered, chain: DER }, 'MALFORMED_MESSAGE'],
      ['a time before 1970', { ...registered, serverTime: -1 }, 'MALFORMED_MESSAGE'],
    ],
  ),
  entry(
    'ConfigurationRequest',
    'A connector pulls: what the connector has, how applying it went, and when due a certificate request.',
    [
      ['the first pull', { v: 1, type: 'configuration' }],
      ['a later pull', { v: 1, type: 'configuration', have: '7', applied: { version: '7' } }],
      [
        'with an error and a certificate request',
        {
          v: 1,
          type: 'configuration',
          have: '6',
          applied: { version: '7', error: 'unknown group' },
          request: DER,
        },
      ],
    ],
    [['a version that is a number', { v: 1, type: 'configuration', have: 7 }, 'MALFORMED_MESSAGE']],
  ),
  entry(
    'ConfigurationReply',
    'Its answer: the next version if there is one, and the next certificate if it was asked for.',
    [
      ['unchanged', { v: 1, type: 'configuration', serverTime: SERVER_TIME }],
      ['a new version', configuration],
      [
        'with standing and applications',
        {
          ...configuration,
          configuration: {
            ...configuration.configuration!,
            standing: 'draining',
            applications: { wiki: '3' },
          },
        },
      ],
      ['with a certificate', { ...configuration, certificate: { certificate: DER, chain: [DER] } }],
      [
        'with a certificate, and who signs for the cloud',
        {
          ...configuration,
          certificate: { certificate: DER, chain: [DER], cloudAuthorities: [DER] },
        },
      ],
    ],
    [
      [
        'an instance without an address',
        {
          ...configuration,
          configuration: { ...configuration.configuration, instances: { 'cloud-1': null } },
        },
        'MALFORMED_MESSAGE',
      ],
      ['no server time', { v: 1, type: 'configuration' }, 'MALFORMED_MESSAGE'],
    ],
  ),
  entry(
    'ApplicationRequest',
    'A question: the details of an application that the connector does not know.',
    [['a question', { v: 1, type: 'application', applicationId: 'wiki' }]],
    [['no application', { v: 1, type: 'application' }, 'MALFORMED_MESSAGE']],
  ),
  entry(
    'ApplicationReply',
    'Its answer: the details, or that there is no such application for this connector.',
    [
      ['known', application],
      [
        'known, with idle limits of its own',
        {
          ...application,
          application: {
            ...application.application,
            requestIdleMs: 60_000,
            responseIdleMs: 600_000,
          },
        },
      ],
      ['unknown', { v: 1, type: 'unknown-application', applicationId: 'wiki' }],
    ],
    [
      [
        'a flag that is a number',
        { ...application, application: { ...application.application, verifyCertificate: 1 } },
        'MALFORMED_MESSAGE',
      ],
    ],
  ),
]

function entry<N extends keyof ControlMessages>(
  name: N,
  description: string,
  valid: readonly (readonly [string, object])[],
  invalid: readonly (readonly [string, object, string])[],
): Entry {
  const codec: VectorCodec = {
    encode: (value) => encodeMessage(value as ControlMessages[N]),
    decode: (octets) => decodeMessage(name, octets),
  }
  const first = valid[0]![1]
  const file: VectorFile = {
    name,
    description,
    valid: [
      ...valid.map(([n, value]): ValidVector => ({
        name: n,
        value: toJson(value),
        hex: toHex(codec.encode(value)),
      })),
      {
        name: 'a key that a later version may add',
        value: toJson(first),
        hex: toHex(encode({ ...first, later: [1] })),
        alternative: true,
      },
    ],
    invalid: [
      ...invalid.map(([n, value, reason]) => ({ name: n, hex: toHex(encode(value)), reason })),
      ...everyMessageRefuses(first),
    ],
  }
  return [`message-${kebab(name)}.json`, codec, file]
}

function everyMessageRefuses(first: object): InvalidVector[] {
  const whole = toHex(encode(first))
  const malformed = (name: string, hex: string) => ({ name, hex, reason: 'MALFORMED_MESSAGE' })
  return [
    {
      name: 'another version',
      hex: toHex(encode({ ...first, v: 2 })),
      reason: 'UNSUPPORTED_VERSION',
    },
    {
      name: 'an unknown type',
      hex: toHex(encode({ ...first, type: 'x' })),
      reason: 'UNKNOWN_MESSAGE',
    },
    malformed('nothing', ''),
    malformed('no map', '01'),
    malformed('octets after the message', `${whole}c0`),
    malformed('a message cut short', whole.slice(0, -2)),
    malformed('a key twice', '82a17601a17601'),
    malformed('a key that reaches the prototype', '81a95f5f70726f746f5f5f80'),
    malformed('a key that is no string', '820101a17601'),
    malformed('an extension type', '81a176d40001'),
    malformed('the octet 0xc1', '81a176c1'),
    malformed('text that is not UTF-8', '81a176a2c0af'),
    malformed('a length beyond the end', '81a176dd7fffffff'),
    malformed('an integer beyond 2^53 - 1', '81a176cf0020000000000000'),
    malformed('nine levels', `${'81a178'.repeat(8)}90`),
  ]
}

function kebab(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}
