/**
 * Vectors of the link frames, header included.
 *
 * @module
 */
import { ResetCode, encode } from '../../src/protocol/internal.ts'
import * as control from '../../src/protocol/wire/control-frames.ts'
import * as greetings from '../../src/protocol/wire/greetings.ts'
import * as heads from '../../src/protocol/wire/heads.ts'
import { entry, none, octets, type Entry } from './frame-vector.ts'
import { fromHex } from './vector.ts'

const ID = '00112233445566778899aabbccddeeff'
const ID_OCTETS = fromHex(ID)
const HEADERS = ['Accept', 'text/html', 'X-Octets', '\u00e9\u00ff']
const OFFER = {
  id: ID,
  attempt: 1,
  applicationId: 'wiki',
  applicationVersion: '3',
  method: 'GET',
  target: '/caf%C3%A9?q=1',
  headers: HEADERS,
  body: { kind: 'none' },
  remainingMs: 5_000,
  origin: 'cloud-1',
  answerMs: 85_000,
}
const USER = {
  subject: 'u-1',
  issuer: 'https://sts.example',
  name: 'Zoë',
  email: 'zoe@example.org',
  groups: ['staff'],
  roles: [],
}
const OFFER_ELEMENTS: readonly unknown[] = [
  ...[ID_OCTETS, 1, 'wiki', '3', 'GET', '/', ['a', 'b'], undefined, false],
  ...[undefined, 5_000, 'cloud-1'],
]
const offerWith = (at: number, element: unknown) => encode(OFFER_ELEMENTS.with(at, element))

export const FRAME_VECTORS: readonly Entry[] = [
  entry('HELLO', 'A connector opens a link.', greetings.encodeHello, greetings.decodeHello, {
    valid: {
      'a first link': {
        versions: [1],
        run: 'run-1',
        index: 0,
        epoch: 1,
        offers: 200,
        granted: 180,
        maxDataBytes: 16_384,
        features: ['plain'],
        slots: 200,
        streams: 0,
      },
      'a link for claims, of a run with slots': {
        versions: [1],
        run: 'run-1',
        index: 1,
        epoch: 1,
        offers: 0,
        granted: 0,
        maxDataBytes: 16_384,
        features: [],
        slots: 200,
        streams: 1_000,
      },
    },
    alternative: {
      'without slots and streams': [
        encode([[1], 'run-1', 0, 1, 200, 180, 16_384, []]),
        {
          versions: [1],
          run: 'run-1',
          index: 0,
          epoch: 1,
          offers: 200,
          granted: 180,
          maxDataBytes: 16_384,
          features: [],
          slots: 200,
          streams: 0,
        },
      ],
    },
    invalid: {
      'versions that are text': encode([['1'], 'run-1', 0, 1, 200, 180, 16_384, []]),
      'DATA beyond 64 KiB': encode([[1], 'run-1', 0, 1, 200, 180, 65_537, []]),
      'a missing element': encode([[1], 'run-1', 0, 1, 200, 180, 16_384]),
    },
  }),
  entry('WELCOME', "The cloud's answer.", greetings.encodeWelcome, greetings.decodeWelcome, {
    valid: {
      'a multiplexed link': welcome(0),
      'an offers stream with a lease': welcome(30_000),
    },
    invalid: {
      'no instance': encode([1, '', 65_536, 16_384, 15_000, 0, []]),
      'a window beyond 32 bits': encode([1, 'cloud-1', 2 ** 32, 16_384, 15_000, 0, []]),
    },
  }),
  entry('OFFER', 'An exchange is put before a connector.', heads.encodeOffer, heads.decodeOffer, {
    valid: {
      'a GET of nobody in particular': OFFER,
      'a POST of a user, streamed': {
        ...OFFER,
        method: 'POST',
        user: USER,
        body: { kind: 'streamed' },
      },
      'a request of a user of whom sign-on names claims': {
        ...OFFER,
        user: {
          ...USER,
          claims: { upn: 'zoe@example.org', employee: 4711, manager: false, sites: ['a,b', 'c'] },
        },
      },
      'a PUT of known length, offered again': {
        ...OFFER,
        attempt: 2,
        method: 'PUT',
        body: { kind: 'length', bytes: 1_073_741_824 },
      },
      'an upgrade': { ...OFFER, upgrade: 'websocket' },
      'the first request of a connection that is one user’s alone': {
        ...OFFER,
        affinity: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
        pinned: 0,
      },
      'the last step of a handshake, on that connection': {
        ...OFFER,
        headers: ['Authorization', 'NTLM TlRMTVNTUAADAAAA'],
        affinity: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
        pinned: 1,
      },
    },
    invalid: {
      'an id of 15 octets': offerWith(0, ID_OCTETS.subarray(1)),
      'attempt 0': offerWith(1, 0),
      'a name without its value': offerWith(6, ['a']),
      'a user without an issuer': offerWith(7, { subject: 'u-1' }),
      'a claim that is a map': offerWith(7, { subject: 'u', issuer: 'i', claims: { a: {} } }),
      'a claim that is a list of numbers': offerWith(7, {
        ...{ subject: 'u', issuer: 'i', claims: { a: [1] } },
      }),
      '33 claims': offerWith(7, {
        ...{ subject: 'u', issuer: 'i' },
        claims: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`c${i}`, true])),
      }),
      'claims of more than 8 KiB': offerWith(7, {
        ...{ subject: 'u', issuer: 'i', claims: { a: 'x'.repeat(8_192) } },
      }),
      'a body that is nil': offerWith(8, null),
      'an affinity of 15 octets': encode([...OFFER_ELEMENTS, 85_000, ID_OCTETS.subarray(1)]),
      'an affinity that is text': encode([...OFFER_ELEMENTS, 85_000, ID]),
      'pinned twice': encode([...OFFER_ELEMENTS, 85_000, ID_OCTETS, 2]),
      'five levels': offerWith(7, { subject: 'u', issuer: 'i', groups: [[[]]] }),
    },
    forbidden: {
      'a method with a space': offerWith(4, 'GET /'),
      'a target with a line break': offerWith(5, '/\r\nHost: b'),
      'a target with a space': offerWith(5, '/a b'),
      'a name with a colon': offerWith(6, ['a:', 'b']),
      'an empty name': offerWith(6, ['', 'b']),
      'a value with CR LF': offerWith(6, ['a', 'b\r\nc: d']),
      'a value with NUL': offerWith(6, ['a', '\0']),
      'a value beyond U+00FF': offerWith(6, ['a', '\u0100']),
    },
  }),
  entry(
    'CLAIM',
    'A connector takes an offer; the credit is its pull.',
    heads.encodeClaim,
    heads.decodeClaim,
    {
      valid: {
        'of a request without a body': { id: ID, attempt: 1, credit: 0 },
        'with the first credit': { id: ID, attempt: 1, credit: 65_536 },
      },
      invalid: {
        'a negative credit': encode([ID_OCTETS, 1, -1]),
        'a first credit above 64 KiB': encode([ID_OCTETS, 1, 65_537]),
        'an id that is text': encode([ID, 1, 0]),
        'a map': encode({ id: ID_OCTETS, attempt: 1, credit: 0 }),
      },
    },
  ),
  entry('CONFIRM', 'The claim is the first; go on.', none, control.decodeEmpty, {
    valid: { 'says all by its type': undefined },
    invalid: { 'a payload': fromHex('90') },
  }),
  entry(
    'DECLINE',
    'A connector does not take an offer.',
    heads.encodeDecline,
    heads.decodeDecline,
    {
      valid: Object.fromEntries(
        [
          ...['unknown-application', 'unlisted-origin', 'origin-unreachable'],
          ...['overloaded', 'draining'],
        ].map((reason) => [reason, { id: ID, attempt: 1, reason }]),
      ),
      alternative: {
        'a reason of a later version is overloaded': [
          encode([ID_OCTETS, 1, 'tired']),
          { id: ID, attempt: 1, reason: 'overloaded' },
        ],
      },
      invalid: { 'a reason that is a number': encode([ID_OCTETS, 1, 1]) },
    },
  ),
  entry('CREDIT', 'Bytes, or offers on number 0.', control.encodeCredit, control.decodeCredit, {
    valid: { 'one byte': 1, 'the most': 4_294_967_295 },
    invalid: { nothing: fromHex('00000000'), 'three octets': fromHex('000001') },
  }),
  entry('DATA', 'Octets of a body.', octets, octets, {
    valid: { 'in the middle': fromHex('00ff'), 'without octets': new Uint8Array(0) },
    flagged: { 'the end': { flags: ['END'], payload: fromHex('68690a') } },
    whole: { 'beyond 16 KiB': ['004001 08 00 00000001', 'FRAME_TOO_LARGE'] },
  }),
  entry('RESPONSE', 'A final answer, or 101.', heads.encodeResponseHead, heads.decodeResponse, {
    valid: {
      'with a body to come': { status: 200, headers: ['Content-Type', 'text/plain'] },
      'switching protocols': { status: 101, headers: ['Upgrade', 'websocket'] },
    },
    legal: { 'switching protocols': [{ at: 'cloud', in: 'upgrade-asked' }] },
    flagged: { 'without a body': { flags: ['END'], payload: { status: 304, headers: [] } } },
    invalid: {
      'an interim status': encode([103, []]),
      'a status of four digits': encode([1000, []]),
      'no headers': encode([200]),
    },
    forbidden: { 'a value with a line feed': encode([200, ['Location', '/\n']]) },
  }),
  entry(
    'INFORMATIONAL',
    'An interim answer.',
    heads.encodeResponseHead,
    heads.decodeInformational,
    {
      valid: { 'early hints': { status: 103, headers: ['Link', '</a.css>; rel=preload'] } },
      invalid: { 'a final status': encode([200, []]), 'status 101': encode([101, []]) },
    },
  ),
  entry('TRAILERS', 'Header fields after a body.', heads.encodeTrailers, heads.decodeTrailers, {
    flagged: { 'one field': { flags: ['END'], payload: ['Repr-Digest', 'sha-256=:AA==:'] } },
    invalid: { 'no list inside the list': encode(['a', 'b']) },
    forbidden: { 'a name with a space': encode([['a b', 'c']]) },
    whole: { 'without END': ['000002 0b 00 00000005 9190', 'MALFORMED_FRAME'] },
  }),
  entry('STOP', 'No more of this body, please.', control.encodeStop, control.decodeStop, {
    valid: { 'without fault': { code: ResetCode.NO_ERROR } },
    invalid: { 'no code': new Uint8Array(0) },
  }),
  entry('RESET', 'The exchange is over.', control.encodeReset, control.decodeReset, {
    valid: Object.fromEntries(
      Object.entries(ResetCode)
        .filter(([name]) => name !== 'LOST')
        .map(([name, code]) => [name, { code }] as const)
        .concat([['NOT_SENT, told why', { code: ResetCode.NOT_SENT, cause: 12 }]] as never),
    ),
    legal: Object.fromEntries(
      ['NOT_SENT', 'NOT_SENT, told why', 'NOT_SENT for a cause of a later version'].map((title) => [
        title,
        // A connector says it, before anything else of the exchange.
        [
          { at: 'cloud', in: 'claimed' },
          { at: 'cloud', in: 'confirmed' },
        ],
      ]),
    ),
    alternative: {
      'NOT_SENT for a cause of a later version': [
        fromHex('0000000b000000ff'),
        { code: ResetCode.NOT_SENT },
      ],
      'a code of a later version is INTERNAL': [fromHex('000000ff'), { code: ResetCode.INTERNAL }],
      'LOST, which is never sent, is INTERNAL': [fromHex('00000009'), { code: ResetCode.INTERNAL }],
    },
    invalid: {
      'five octets': fromHex('0000000000'),
      'a cause that is not of NOT_SENT': fromHex('0000000a00000005'),
    },
  }),
  entry('PING', 'Eight octets, to be sent back with ACK.', octets, control.decodePing, {
    valid: { 'a question': fromHex('0102030405060708') },
    flagged: { 'an answer': { flags: ['ACK'], payload: fromHex('0102030405060708') } },
    invalid: { 'seven octets': fromHex('01020304050607') },
  }),
  entry('DRAIN', 'No more new exchanges on this link.', none, control.decodeEmpty, {
    valid: { 'says all by its type': undefined },
    invalid: { 'a payload': fromHex('90') },
  }),
  entry(
    'CONFIGURATION',
    'There is a newer configuration to pull.',
    control.encodeConfiguration,
    control.decodeConfiguration,
    {
      valid: { 'its version': { version: '8' } },
      invalid: { 'a version that is a number': encode([8]) },
    },
  ),
]

function welcome(leaseMs: number): object {
  return {
    version: 1,
    instance: 'cloud-1',
    windowBytes: 65_536,
    maxDataBytes: 16_384,
    pingMs: 15_000,
    leaseMs,
    features: [],
  }
}
