import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiMisuse, PeerViolation } from '../../../src/protocol/wire/errors.ts'
import { ResetCode, type Offer } from '../../../src/protocol/wire/frame-types.ts'
import * as control from '../../../src/protocol/wire/control-frames.ts'
import * as greetings from '../../../src/protocol/wire/greetings.ts'
import * as heads from '../../../src/protocol/wire/heads.ts'
import { decode as decodeAny, encode } from '../../../src/protocol/wire/msgpack.ts'
import { fromHexadecimal } from '../../../src/protocol/wire/octets.ts'
import { longestForm } from './longest-form.ts'

const ID = '00112233445566778899aabbccddeeff'
const ID_OCTETS = new Uint8Array(Buffer.from(ID, 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const OFFER: Offer = {
  id: ID,
  attempt: 1,
  applicationId: 'wiki',
  applicationVersion: '7',
  method: 'POST',
  target: '/caf%C3%A9?q=1',
  headers: ['Host', 'wiki.example', 'X-Octets', '\u0080\u00ff\t'],
  user: { subject: 'u1', issuer: 'https://sts.example', groups: ['staff'] },
  body: { kind: 'streamed' },
  upgrade: undefined,
  remainingMs: 4_999,
  origin: 'cloud-1',
  answerMs: 85_000,
  affinity: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
  pinned: 1,
}

/** The elements of an OFFER, to break one at a time. */
const offerElements = () =>
  [
    ID_OCTETS,
    1,
    'wiki',
    '7',
    'GET',
    '/',
    ['a', 'b'],
    undefined,
    false,
    undefined,
    0,
    'cloud-1',
  ] as unknown[]
/** Without the classes that were decoded into. */
const bare = (offer: Offer): Offer => ({ ...offer, user: offer.user && { ...offer.user } })
const offerWith = (at: number, element: unknown) => encode(offerElements().with(at, element))

describe('a CLAIM', () => {
  test('is an array of the id in 16 octets, the attempt and the first credit', () => {
    const claim = { id: ID, attempt: 2, credit: 65_536 }
    expect(hexOf(heads.encodeClaim(claim))).toBe(`93c410${ID}02ce00010000`)
    expect({ ...heads.decodeClaim(heads.encodeClaim(claim)) }).toStrictEqual(claim)
  })

  test('may carry elements that a later version appended', () => {
    expect({
      ...heads.decodeClaim(encode([ID_OCTETS, 1, 0, 'new', { and: 'more' }])),
    }).toStrictEqual({
      id: ID,
      attempt: 1,
      credit: 0,
    })
  })

  test.each([
    ['a map', { id: ID }],
    ['an id that is text', [ID, 1, 0]],
    ['an id that is too short', [ID_OCTETS.slice(1), 1, 0]],
    ['attempt 0', [ID_OCTETS, 0, 0]],
    ['a negative credit', [ID_OCTETS, 1, -1]],
    ['a credit that is no integer', [ID_OCTETS, 1, 0.5]],
    ['a credit beyond 32 bits', [ID_OCTETS, 1, 2 ** 32]],
    ['a missing element', [ID_OCTETS, 1]],
  ])('is refused: %s', (_, value) => {
    expect(() => heads.decodeClaim(encode(value))).toThrow(violation('MALFORMED_FRAME'))
  })

  test('with an id that is none is our own bug', () => {
    expect(() => heads.encodeClaim({ id: ID.toUpperCase(), attempt: 1, credit: 0 })).toThrow(
      ApiMisuse,
    )
  })
})

describe('an OFFER', () => {
  test.each([
    ['streamed body', OFFER],
    ['no user, no body', { ...OFFER, user: undefined, body: { kind: 'none' } }],
    ['a body of known length', { ...OFFER, body: { kind: 'length', bytes: 2 ** 40 } }],
    ['an upgrade', { ...OFFER, upgrade: 'websocket', body: { kind: 'none' } }],
    [
      'every claim',
      { ...OFFER, user: { ...OFFER.user!, name: 'Ünal 😀', email: 'u@x', roles: [] } },
    ],
  ] as [string, Offer][])('comes back as it was sent: %s', (_, offer) => {
    expect(bare(heads.decodeOffer(heads.encodeOffer(offer)))).toStrictEqual(offer)
  })

  test('carries the claims it knows and no other', () => {
    const user = { subject: 's', issuer: 'i', later: true, name: null }
    expect(bare(heads.decodeOffer(offerWith(7, user))).user).toStrictEqual({
      subject: 's',
      issuer: 'i',
    })
  })

  test('mends a claim that no UTF-8 can carry', () => {
    const user = { subject: 's', issuer: 'i', name: 'a\ud800b', groups: ['\udc00'] }
    const received = heads.decodeOffer(heads.encodeOffer({ ...OFFER, user }))
    expect(bare(received).user).toStrictEqual({ ...user, name: 'a\ufffdb', groups: ['\ufffd'] })
  })

  test.each([
    ['a method that is a number', 4, 1],
    ['a target that is octets', 5, new Uint8Array([0x2f])],
    ['headers that are a map', 6, { a: 'b' }],
    ['a name without a value', 6, ['a']],
    ['a value that is nil', 6, ['a', null]],
    ['a user that is a list', 7, ['s', 'i']],
    ['a user that is text', 7, 's'],
    ['a user without issuer', 7, { subject: 's' }],
    ['a user whose subject is empty', 7, { subject: '', issuer: 'i' }],
    ['a name that is a number', 7, { subject: 's', issuer: 'i', name: 1 }],
    ['groups that are text', 7, { subject: 's', issuer: 'i', groups: 'staff' }],
    ['roles that are numbers', 7, { subject: 's', issuer: 'i', roles: [1] }],
    ['a body that is text', 8, 'streamed'],
    ['a body that is nil', 8, null],
    ['a body of negative length', 8, -1],
    ['an application without a name', 2, ''],
    ['an application with too long a name', 2, 'x'.repeat(1025)],
    ['a deadline in the past', 10, -1],
    ['no origin', 11, null],
    ['what nests too deep', 7, { subject: 's', issuer: 'i', groups: [[[['x']]]] }],
  ])('is refused: %s', (_, at, element) => {
    expect(() => heads.decodeOffer(offerWith(at, element))).toThrow(violation('MALFORMED_FRAME'))
  })

  test.each([{ kind: 'streamed' }, { kind: 'length', bytes: 0 }] as const)(
    'is refused: an upgrade with a body of %o',
    (body) => {
      const octets = heads.encodeOffer({ ...OFFER, upgrade: 'websocket', body })
      expect(() => heads.decodeOffer(octets)).toThrow(violation('MALFORMED_FRAME'))
    },
  )

  test.each([
    ['a method that is no token', 4, 'GET /'],
    ['an empty method', 4, ''],
    ['a target with a space', 5, '/a b'],
    ['a target with a line break', 5, '/a\r\nHost: b'],
    ['a target beyond octets', 5, '/\u0100'],
    ['an empty target', 5, ''],
    ['an empty name', 6, ['', 'v']],
    ['a name with a colon', 6, ['a:b', 'v']],
    ['a name with a blank', 6, ['a ', 'v']],
    ['a name beyond ASCII', 6, ['\u00e9', 'v']],
    ['a value with CR', 6, ['a', 'x\ry']],
    ['a value with LF', 6, ['a', 'x\ny']],
    ['a value with NUL', 6, ['a', '\0']],
    ['a value with another control character', 6, ['a', '\u0001']],
    ['a value beyond octets', 6, ['a', '\u0100']],
    ['an upgrade with a line break', 9, 'websocket\r\n'],
  ])('never carries %s', (_, at, element) => {
    expect(() => heads.decodeOffer(offerWith(at, element))).toThrow(violation('FORBIDDEN_OCTET'))
  })

  test('never says a header value in a refusal', () => {
    const refusal = caught(() => heads.decodeOffer(offerWith(6, ['Cookie', 'secret\0'])))
    expect(String(refusal)).not.toContain('secret')
  })
})

describe('the other heads come back as they were sent', () => {
  const hello = {
    versions: [1, 2],
    run: 'i',
    index: 0,
    epoch: 1_700_000_000_000,
    offers: 200,
    granted: 200,
    maxDataBytes: 16_384,
    features: ['plain'],
    slots: 400,
    streams: 1_000,
  }
  const welcome = {
    version: 1,
    instance: 'c',
    windowBytes: 65_536,
    maxDataBytes: 16_384,
    pingMs: 15_000,
    leaseMs: 30_000,
    features: [],
  }
  test('HELLO', () =>
    expect(greetings.decodeHello(greetings.encodeHello(hello))).toStrictEqual(hello))
  test('WELCOME', () =>
    expect(greetings.decodeWelcome(greetings.encodeWelcome(welcome))).toStrictEqual(welcome))
  test.each([
    'unknown-application',
    'unlisted-origin',
    'origin-unreachable',
    'overloaded',
    'draining',
  ] as const)('DECLINE %s', (reason) => {
    const decline = { id: ID, attempt: 3, reason }
    expect(heads.decodeDecline(heads.encodeDecline(decline))).toStrictEqual(decline)
  })
  test.each([101, 200, 599, 999])('RESPONSE %i', (status) => {
    const head = { status, headers: ['Set-Cookie', 'a=1', 'set-cookie', 'b=2'] }
    expect({ ...heads.decodeResponse(heads.encodeResponseHead(head)) }).toStrictEqual(head)
  })
  test.each([100, 103, 199])('INFORMATIONAL %i', (status) => {
    const head = { status, headers: ['Link', '</a>; rel=preload'] }
    expect({ ...heads.decodeInformational(heads.encodeResponseHead(head)) }).toStrictEqual(head)
  })
  test('TRAILERS', () =>
    expect(heads.decodeTrailers(heads.encodeTrailers(['Digest', 'x']))).toStrictEqual([
      'Digest',
      'x',
    ]))
  test('CONFIGURATION', () =>
    expect(
      control.decodeConfiguration(control.encodeConfiguration({ version: '9' })),
    ).toStrictEqual({
      version: '9',
    }))
  test('CREDIT', () => {
    expect(hexOf(control.encodeCredit(0x80000001))).toBe('80000001')
    expect(control.decodeCredit(control.encodeCredit(2 ** 32 - 1))).toBe(2 ** 32 - 1)
  })
  test.each(Object.entries(ResetCode).filter(([name]) => name !== 'LOST'))(
    'RESET and STOP %s',
    (_, code) => {
      expect(control.decodeReset(control.encodeReset({ code }))).toStrictEqual({ code })
      expect(control.decodeStop(control.encodeStop({ code }))).toStrictEqual({ code })
    },
  )
  test('PING', () => {
    const octets = new Uint8Array(8).fill(7)
    expect(control.decodePing(octets)).toBe(octets)
  })
})

describe('refused', () => {
  const refused = (run: () => unknown) => expect(run).toThrow(violation('MALFORMED_FRAME'))
  test.each([99, 100, 102, 199, 1000, '200'])('RESPONSE %s', (status) =>
    refused(() => heads.decodeResponse(encode([status, []]))),
  )
  test.each([99, 101, 200])('INFORMATIONAL %s', (status) =>
    refused(() => heads.decodeInformational(encode([status, []]))),
  )
  test('trailers that are not inside an array', () =>
    refused(() => heads.decodeTrailers(encode(['a', 'b']))))
  test('a DECLINE for an unknown reason', () =>
    expect(heads.decodeDecline(encode([ID_OCTETS, 1, 'tired'])).reason).toBe('overloaded'))
  test('a DECLINE for a reason that objects inherit', () =>
    expect(heads.decodeDecline(encode([ID_OCTETS, 1, 'toString'])).reason).toBe('overloaded'))
  test.each([0, 65_537])('a HELLO with DATA of %i octets', (size) =>
    refused(() => greetings.decodeHello(encode([[1], 'i', 0, 0, 1, size, []]))),
  )
  test('a HELLO whose versions are text', () =>
    refused(() => greetings.decodeHello(encode([['1'], 'i', 0, 0, 1, 1, []]))))
  test('CREDIT for nothing', () => refused(() => control.decodeCredit(new Uint8Array(4))))
  test.each([3, 5])('CREDIT, RESET and STOP of %i octets', (length) => {
    refused(() => control.decodeCredit(new Uint8Array(length).fill(1)))
    refused(() => control.decodeReset(new Uint8Array(length)))
    refused(() => control.decodeStop(new Uint8Array(length)))
  })
  test.each([7, 9])('PING of %i octets', (length) =>
    refused(() => control.decodePing(new Uint8Array(length))),
  )
  test('CONFIRM or DRAIN with a payload', () => {
    expect(() => control.decodeEmpty(new Uint8Array(0))).not.toThrow()
    refused(() => control.decodeEmpty(new Uint8Array(1)))
  })
})

test.each([255, 2 ** 32 - 1, ResetCode.LOST])(
  'RESET %i, which this version does not send, reads as INTERNAL',
  (code) => {
    const payload = new Uint8Array([code >>> 24, code >>> 16, code >>> 8, code])
    expect(control.decodeReset(payload)).toStrictEqual({ code: ResetCode.INTERNAL })
  },
)

test('neither LOST nor a grant of nothing is ever sent', () => {
  expect(() => control.encodeReset({ code: ResetCode.LOST })).toThrow(ApiMisuse)
  expect(() => control.encodeCredit(0)).toThrow(ApiMisuse)
  expect(() => control.encodeCredit(2 ** 32)).toThrow(ApiMisuse)
})

describe('for every input', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/)
  const value = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,20}$/)
  const records: fc.Arbitrary<Offer> = fc.record({
    id: fc.stringMatching(/^[0-9a-f]{32}$/),
    attempt: fc.integer({ min: 1, max: 3 }),
    applicationId: text,
    applicationVersion: text,
    method: token,
    target: fc.stringMatching(/^\/[\x21-\x7e]{0,30}$/),
    headers: fc.array(fc.tuple(token, value), { maxLength: 20 }).map((pairs) => pairs.flat()),
    user: fc.option(fc.record({ subject: text, issuer: text, groups: fc.array(text) }), {
      nil: undefined,
    }),
    body: fc.oneof(
      fc.constant({ kind: 'none' } as const),
      fc.constant({ kind: 'streamed' } as const),
      fc.record({ kind: fc.constant('length' as const), bytes: fc.maxSafeNat() }),
    ),
    upgrade: fc.option(token, { nil: undefined }),
    remainingMs: fc.nat(),
    origin: text,
    affinity: fc.option(fc.stringMatching(/^[0-9a-f]{32}$/), { nil: undefined }),
  })
  const offers = records.filter(
    ({ body, upgrade }) => upgrade === undefined || body.kind === 'none',
  )

  /** What is read of octets, in a form that can be compared; a refusal is its reason. */
  const told = (decode: (octets: Uint8Array) => object, octets: Uint8Array): unknown => {
    try {
      return JSON.parse(JSON.stringify(decode(octets)))
    } catch (error) {
      return error instanceof PeerViolation ? error.reason : error
    }
  }

  test('octets that a runtime makes texts of are read as any others, sound or not', () =>
    fc.assert(
      fc.property(offers, value, fc.nat(), fc.option(fc.nat(255)), (offer, text, at, broken) => {
        const { headers } = offer
        const head = { status: 200, headers: [...headers, 'x', text] }
        const sound = [heads.encodeOffer(offer), heads.encodeResponseHead(head)] as const
        sound.forEach((octets, i) => {
          if (broken !== null) octets[at % octets.length] = broken
          const decode = i === 0 ? heads.decodeOffer : heads.decodeResponse
          const sliceable = Buffer.concat([Buffer.from('x'), octets, Buffer.from('x')])
          expect(told(decode, sliceable.subarray(1, -1))).toEqual(told(decode, octets))
        })
      }),
      { numRuns: 1_000 },
    ))

  test('the form of MessagePack that a peer chose makes no difference', () =>
    fc.assert(
      fc.property(offers, fc.nat(65_536), (offer, credit) => {
        const { id, attempt, headers } = offer
        const limits = { maxBytes: 65_536, maxDepth: 8, reason: 'MALFORMED_FRAME' } as const
        const all: readonly [Uint8Array, (octets: Uint8Array) => object][] = [
          [heads.encodeOffer(offer), heads.decodeOffer],
          [heads.encodeClaim({ id, attempt, credit }), heads.decodeClaim],
          [heads.encodeDecline({ id, attempt, reason: 'overloaded' }), heads.decodeDecline],
          [heads.encodeResponseHead({ status: 200, headers }), heads.decodeResponse],
          [heads.encodeResponseHead({ status: 103, headers }), heads.decodeInformational],
          [heads.encodeTrailers(headers), heads.decodeTrailers],
        ]
        for (const [octets, decode] of all)
          expect(decode(longestForm(decodeAny(octets, limits)))).toEqual(decode(octets))
      }),
    ))

  test('the octets are those that msgpackr writes', () =>
    fc.assert(
      fc.property(offers, value, fc.constantFrom(0, 1), (offer, text, pinned) => {
        const { id, body, user, upgrade, affinity, answerMs } = { answerMs: 85_000, ...offer }
        const octets = fromHexadecimal(id, 16, 'an id')
        const own = [affinity && fromHexadecimal(affinity, 16, 'an id'), pinned]
        const elements = [
          ...[octets, offer.attempt, offer.applicationId, offer.applicationVersion],
          ...[offer.method, offer.target, offer.headers, user],
          body.kind === 'length' ? body.bytes : body.kind === 'streamed',
          ...[upgrade, offer.remainingMs, offer.origin, answerMs],
          ...(affinity === undefined && pinned === 0 ? [] : own),
        ]
        const written = heads.encodeOffer({ ...offer, answerMs, pinned })
        expect(hexOf(written)).toBe(hexOf(encode(elements)))
        const { headers, attempt } = offer
        const claim = { id, attempt, credit: offer.remainingMs }
        expect(hexOf(heads.encodeClaim(claim))).toBe(hexOf(encode([octets, attempt, claim.credit])))
        const head = { status: 200, headers: [...headers, 'x', text.repeat(5_000)] }
        expect(hexOf(heads.encodeResponseHead(head))).toBe(hexOf(encode([200, head.headers])))
        expect(hexOf(heads.encodeTrailers(headers))).toBe(hexOf(encode([headers])))
      }),
    ))

  test('an offer comes back as it was sent', () =>
    fc.assert(
      fc.property(offers, (offer) => {
        // Both are written, or neither is.
        const pinned = offer.affinity === undefined ? undefined : 0
        expect(heads.decodeOffer(heads.encodeOffer(offer))).toEqual({ ...offer, pinned })
      }),
    ))

  const decoders = Object.entries(heads).filter(([name]) => name.startsWith('decode')) as [
    string,
    (payload: Uint8Array) => unknown,
  ][]

  test.each(decoders)('%s reads it or refuses it', (_, decode) => {
    const damaged = fc.tuple(offers, fc.nat(), fc.nat(255)).map(([offer, at, octet]) => {
      const payload = heads.encodeOffer(offer)
      payload[at % payload.length] = octet
      return payload
    })
    const lists = fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 13 }).map(encode)
    fc.assert(
      fc.property(fc.oneof(damaged, lists, fc.uint8Array({ maxLength: 12 })), (payload) => {
        const error = caught(() => decode(payload))
        if (error !== undefined) expect(error).toBeInstanceOf(PeerViolation)
      }),
      { numRuns: 300 },
    )
  })
})

function caught(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

function violation(reason: string) {
  return expect.objectContaining({ name: 'PeerViolation', reason })
}
