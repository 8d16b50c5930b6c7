/** Every page there is says where it stopped, for which application, what may have happened, and what to do next. */
import { describe, expect, test, vi } from 'vitest'
import { type Failure } from '../../../src/cloud/index.ts'
import { failureResponse } from '../../../src/cloud/pages/pages.ts'
import { advised, PASSED_ON } from '../../../src/cloud/pages/delivery-words.ts'
import { deliveryOf } from '../../../src/protocol/machines/delivery.ts'
import { ALL_ANSWERS } from './all-answers.ts'
import { edgeWorld, HOST, octets } from '../edge/edge-world.ts'

const ID = '7k2m-x9pt-04rw-bn6e'
/** What asks somebody to do something. */
const NEXT =
  /\b(Open|Try|Check|Tell|Sign|Use|Send|Close|Remove|Ask|open|try|check|tell|sign|ask|close)\b/

function page(failure: Failure, place: object = { target: '/reports/7', start: '/' }): string {
  const asked = { accept: 'html', application: 'Travel & Costs', ...place } as const
  return new TextDecoder().decode(failureResponse(failure, asked).body)
}
const textOf = (html: string) => html.replaceAll(/<style>[^]*?<\/style>|<[^>]*>/g, ' ')

describe.each(ALL_ANSWERS)('$code', (answer) => {
  const html = page({ ...answer, requestId: ID })

  test('names the application', () => {
    expect(html).toContain('<p class="app">Travel &amp; Costs</p>')
    expect(html).toMatch(/<title>[^<]* · Travel &amp; Costs<\/title>/)
  })

  test('offers the next step, wherever it is met', () => {
    expect(html).toMatch(/<ul class="next">/)
    const nowhere = page({ ...answer, requestId: ID }, {})
    expect(/<ul class="next">/.test(nowhere) || NEXT.test(answer.detail), answer.detail).toBe(true)
  })
})

describe.each(ALL_ANSWERS.filter(({ status }) => status >= 400))('$code', (answer) => {
  const html = page({ ...answer, requestId: ID })

  test('says where it stopped, what may have happened, and how to refer to it', () => {
    expect(html).toMatch(/<dt>Source<\/dt><dd>[^<]+</)
    expect(html).toContain(`<dt>Passed on</dt><dd>${PASSED_ON[answer.delivery ?? 'none']}</dd>`)
    expect(html).toContain(`<dt>Request</dt><dd><code>${ID}</code></dd>`)
    // Maintenance is a decision, and no fault on the way.
    const isFault = answer.status >= 500 && answer.code !== 'maintenance'
    expect(html.split('Problem here')).toHaveLength(isFault ? 2 : 1)
    // What may have got there is nowhere said not to have.
    if (answer.delivery !== undefined && answer.delivery !== 'none')
      expect(textOf(html)).not.toMatch(/Not reached/)
  })

  test('tells nobody to repeat what could do harm', () => {
    const { delivery = 'none', detail } = answer
    const words = advised(detail, delivery, 'POST')
    const html = page({ ...answer, detail: words, requestId: ID }, { start: '/' })
    expect(/Try again in a moment/.test(textOf(html))).toBe(
      delivery === 'none' && /Try again in a moment/.test(detail),
    )
    if (delivery !== 'none') expect(words).toMatch(/check .*before you send it again\.$/)
  })
})

test.each([
  ['too large', 431, { headers: ['X-Large', 'x'.repeat(50_000)] }],
  ['too long', 414, { target: `/${'x'.repeat(9_000)}` }],
  ['of a method that nothing takes', 501, { method: 'CONNECT' }],
  ['not understood', 400, { target: '/a/../b' }],
])('a request that is %s: its page names the application', async (_, status, head) => {
  const world = await edgeWorld({}, { secure: { name: 'Travel' } })
  const accept = ['Accept', 'text/html', ...((head as { headers?: string[] }).headers ?? [])]
  const user = world.ask({ authority: HOST, ...head, headers: accept })
  expect(user.status).toBe(status)
  expect(user.one('write')![0]).toContain('<p class="app">Travel</p>')
})

describe('a request that is claimed and lost', () => {
  const upload = {
    ...{ method: 'POST', target: '/orders' },
    headers: ['Accept', 'text/html', 'Content-Length', '3'],
  }

  test('may have been carried out: the page says so, and does not say to try again', async () => {
    const world = await edgeWorld()
    const user = world.ask(upload)
    const { exchange } = world.claim(10)
    user.events.data(octets('a=b'))
    user.events.ended(undefined)
    exchange.lost()
    expect(user.status).toBe(502)
    const said = textOf(user.one('write')![0] as string)
    expect(said).toMatch(/Nobody can know whether the application got your request/)
    expect(said).toMatch(/Application\s+Not known/)
    expect(said).not.toMatch(/Not reached|Try again/)
    expect(world.audit.events).toMatchObject([
      { type: 'access.failure', reason: 'connector-lost', detail: { delivery: 'unknown' } },
    ])
  })

  test('and one that nobody took was certainly not', async () => {
    const world = await edgeWorld()
    const user = world.ask({ ...upload, headers: ['Content-Length', '3'] })
    world.clock.now += 10_000
    await vi.waitFor(() => expect(user.status).toBe(504))
    const problem = JSON.parse(user.one('write')![0] as string) as Record<string, unknown>
    expect(problem).toMatchObject({ delivery: 'none', requestId: expect.any(String) })
    expect(world.audit.events).toMatchObject([
      { type: 'access.failure', requestId: problem['requestId'], detail: { delivery: 'none' } },
    ])
  })

  test('of what may be begun before it is confirmed nobody can say so', () => {
    const facts = { isClaimed: false, mayHaveBegun: true }
    expect(deliveryOf('claim-timeout', facts)).toBe('unknown')
    expect(deliveryOf('claim-timeout', { ...facts, mayHaveBegun: false })).toBe('none')
    // Of a claim before this one, which was given back, nobody knows.
    expect(deliveryOf('application-certificate', { ...facts, isClaimed: true })).toBe('unknown')
  })
})

test('every number that is shown is in the audit: also of what was refused before anybody was let in', async () => {
  const world = await edgeWorld()
  const cases = [
    { target: '/a%5c..%5cb' },
    { authority: 'nobody.example' },
    { authority: HOST, headers: ['Accept', 'application/json'] },
    { target: '/.app-proxy/nothing' },
    { headers: Array.from({ length: 402 }, () => 'a') },
    { method: 'CONNECT' },
  ]
  for (const head of cases) {
    const user = world.ask(head)
    const { requestId, code } = JSON.parse(user.one('write')![0] as string) as Record<
      string,
      string
    >
    expect(world.audit.events.at(-1)).toMatchObject({
      ...{ type: 'access.failure', requestId, reason: code, address: '192.0.2.7' },
    })
  }
  expect(world.audit.events).toHaveLength(cases.length)
})
