/** Answers of old devices: what is wrong with them is a 502, unless it is mended by name. Octets of a raw server, every binding. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeadMender } from '../src/connector/node/mended-answers.ts'
import {
  ANSWER_FAULTS,
  headEnd,
  LINK_FEATURES,
  mendedHead,
  type AnswerFault,
} from '../src/protocol/internal.ts'
import { RawApplication } from '../test/connector/node/raw-application.ts'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

/** What the device says, by the path it is asked for. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/repeated-content-length':
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nhere',
  '/list-content-length': 'HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nhere',
  '/space-before-colon': 'HTTP/1.1 200 OK\r\nContent-Length : 4\r\nX-Old \t: yes\r\n\r\nhere',
  '/folded-fields': 'HTTP/1.1 200 OK\r\nX-Old: one\r\n\t two\r\nContent-Length: 4\r\n\r\nhere',
  '/bare-line-feed': 'HTTP/1.1 200 OK\nContent-Length: 4\n\nhere',
  '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 3\r\n\r\nhere',
  '/length-and-chunks':
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhere\r\n0\r\n\r\n',
  '/after-interim':
    'HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 4\n\nhere',
  '/in-content': 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nA : b\n\nC:',
  '/gzip': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nhere\r\n0\r\n\r\n',
  '/gzip-twice':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhere\r\n0\r\n\r\n',
}
const device = (id: string, more: object) => ({
  ...{ id, externalUrl: `https://${id}.example/`, preAuthentication: 'passthrough', ...more },
})

let world: PublishedWorld
let raw: RawApplication
beforeAll(async () => {
  raw = await RawApplication.listen((connection) => {
    if (!/\r\n\r\n/.test(connection.received)) return
    const path = /^\S+ (\S+)/.exec(connection.received)![1]!
    connection.received = ''
    const answer = Buffer.from(ANSWERS[path]!, 'latin1')
    // In pieces, as slow devices do.
    for (let i = 0; i < answer.length; i += 7) connection.socket.write(answer.subarray(i, i + 7))
  })
  const internalUrl = `http://127.0.0.1:${raw.port}/`
  world = await publishedWorld({
    features: [...LINK_FEATURES, ...ANSWER_FAULTS.map((fault) => `lenient/${fault}`)],
    applications: [
      device('strict', { internalUrl }),
      device('old', { internalUrl, lenient: ANSWER_FAULTS }),
      ...ANSWER_FAULTS.map((fault) => device(fault, { internalUrl, lenient: [fault] })),
    ],
  })
})
afterAll(async () => {
  await world.close()
  await raw.close()
})

describe.each(BINDINGS)('R7.3f %s', (binding) => {
  test.each(ANSWER_FAULTS)('R7.3f %s is a 502, unless it is mended by name', async (fault) => {
    const strict = await world.ask(binding, 'strict.example', `/${fault}`)
    expect([strict.status, codeOf(strict)]).toEqual([502, 'application-malformed'])
    const mended = await world.ask(binding, `${fault}.example`, `/${fault}`)
    expect([mended.status, mended.body]).toEqual([200, 'here'])
    const posted = await world.ask(binding, `${fault}.example`, `/${fault}`, {
      ...{ method: 'POST', body: 'x' },
    })
    expect([posted.status, posted.body]).toEqual([200, 'here'])
  })
})

describe('R7.3f', () => {
  const ask = (id: string, path: string) => world.ask('HTTP/1.1', `${id}.example`, path)

  test('R7.3f the name of one fault mends no other', async () => {
    for (const named of ANSWER_FAULTS)
      for (const fault of ANSWER_FAULTS)
        if (fault !== named) expect((await ask(named, `/${fault}`)).status).toBe(502)
  })

  test('R7.3f fields are what they would have been', async () => {
    expect((await ask('old', '/space-before-colon')).headers['x-old']).toBe('yes')
    expect((await ask('old', '/folded-fields')).headers['x-old']).toBe('one two')
    expect((await ask('old', '/list-content-length')).headers['content-length']).toBe('4')
    expect((await ask('old', '/after-interim')).body).toBe('here')
  })

  test('R7.3f what two readers could read in two ways is refused all the same', async () => {
    for (const path of ['/two-lengths', '/length-and-chunks'])
      expect((await ask('old', path)).status).toBe(502)
  })

  test('R7.3f content is not looked at', async () => {
    expect((await ask('old', '/in-content')).body).toBe('A : b\n\nC:')
  })

  test('R7.3f each request has a connection of its own', async () => {
    const before = raw.connections.length
    for (let i = 0; i < 3; i++) await ask('old', '/in-content')
    expect(raw.connections.length - before).toBe(3)
  })

  test('R7.3f a connector that cannot mend is not offered the application', async () => {
    const other = await publishedWorld({
      applications: [device('old', { lenient: ['bare-line-feed'] })],
    })
    expect(codeOf(await other.ask('HTTP/1.1', 'old.example'))).toBe('connector-too-old')
    await other.close()
  })

  test('R7.3f nor is it combined with connections that are bound to a user', () => {
    const lenient = ['bare-line-feed']
    expect(() =>
      world.publish(device('old', { lenient, signOn: { kind: 'connection-bound' } })),
    ).toThrow('applications[0].lenient: cannot be combined')
    expect(() => world.publish(device('old', { lenient: ['everything'] }))).toThrow(
      'applications[0].lenient[0]',
    )
  })
})

test.each(['/gzip', '/gzip-twice'])('R7.3g %s: GET and POST', async (path) => {
  for (const id of ['strict', 'old'])
    for (const method of ['GET', 'POST']) {
      const answer = await world.ask('HTTP/1.1', `${id}.example`, path, { method })
      expect([answer.status, codeOf(answer)]).toEqual([502, 'application-malformed'])
    }
})

describe('R7.3f the mending itself', () => {
  const all = new Set<AnswerFault>(ANSWER_FAULTS)
  const name = fc.stringMatching(/^[a-z][a-z-]{0,8}$/)
  const value = fc.stringMatching(/^[!-9;-~]{1,8}$/)
  const good = fc
    .uniqueArray(fc.tuple(name, value), { maxLength: 5, selector: ([one]) => one })
    .map((fields) => `HTTP/1.1 200 OK\r\n${fields.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`)

  test('R7.3f what is not faulty stays as it is, octet for octet', () => {
    fc.assert(fc.property(good, (head) => mendedHead(head, all) === head))
  })

  test('R7.3f nothing is mended twice: a mended head stays as it is', () => {
    const piece = fc.constantFrom('a', ':', ' ', '\t', '\r\n', '\n', '5', 'Content-Length', ', 5')
    const odd = fc
      .array(piece, { maxLength: 30 })
      .map((pieces) => `HTTP/1.1 200 OK\r\n${pieces.join('')}`)
    fc.assert(
      fc.property(odd, (head) => {
        // A head ends with its first empty line.
        const ended = `${head}\r\n\r\n`
        const once = mendedHead(ended.slice(0, headEnd(ended, all, 0)), all)
        expect(mendedHead(once, all)).toBe(once)
      }),
    )
  })

  test('R7.3f it is the same however the octets come', () => {
    const tail = fc.stringMatching(/^[ab\n\r]{0,20}$/)
    const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(good, tail, cuts, (head, content, sizes) => {
        const faulty = Buffer.from(head.replaceAll(': ', ' : ') + content, 'latin1')
        const whole = told(new HeadMender(all), [faulty])
        expect(told(new HeadMender(all), split(faulty, sizes))).toBe(whole)
        expect(whole).toBe(head + content)
      }),
    )
  })

  function split(octets: Buffer, sizes: readonly number[]): Buffer[] {
    const pieces: Buffer[] = []
    for (let at = 0, i = 0; at < octets.length; i++) {
      const size = sizes[i % sizes.length]!
      pieces.push(octets.subarray(at, at + size))
      at += size
    }
    return pieces
  }

  function told(mender: HeadMender, pieces: readonly Buffer[]): string {
    const all: Buffer[] = []
    for (const piece of pieces) {
      const mended = mender.isThrough ? piece : mender.mended(piece)
      if (mended !== undefined) all.push(mended)
    }
    const rest = mender.rest()
    return Buffer.concat(rest === undefined ? all : [...all, rest]).toString('latin1')
  }
})
