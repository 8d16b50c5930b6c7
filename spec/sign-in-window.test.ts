/** Signing in in a window of its own, and the form that was not delivered. In a browser: test/browser/sign-in-window.test.ts. */
import { expect, test, vi } from 'vitest'
import { edgeWorld, HOST, octets } from '../test/cloud/edge/edge-world.ts'

const WINDOW = '/.app-proxy/sign-in/window'
const FORM = '/.app-proxy/sign-in/form'
const NAVIGATION = ['Accept', 'text/html', 'Sec-Fetch-Mode', 'navigate']

async function asked(target: string, headers: readonly string[], isSignedIn = false) {
  const world = await edgeWorld()
  const cookie = isSignedIn ? ['Cookie', world.cookie] : []
  const user = world.ask({ authority: HOST, target, headers: [...headers, ...cookie] })
  await vi.waitFor(() => expect(user.status).toBeDefined(), { timeout: 10_000 })
  return user
}
const own = ['Sec-Fetch-Site', 'same-origin']

test.each([
  ['a frame of another page', [...NAVIGATION, 'Sec-Fetch-Dest', 'iframe'], 'cross-site'],
  [
    'a script',
    ['Accept', '*/*', 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty'],
    'same-origin',
  ],
  ['a prefetch', [...NAVIGATION, 'Sec-Purpose', 'prefetch'], 'same-origin'],
] as const)('R4.7r of %s a window to sign in is refused', async (_, headers, site) => {
  for (const [path, isSignedIn] of [
    [WINDOW, false],
    [WINDOW, true],
    [FORM, false],
  ] as const) {
    const user = await asked(path, [...headers, 'Sec-Fetch-Site', site], isSignedIn)
    expect(user.status).toBe(401)
    expect(user.headers).not.toContain('Location')
    expect(user.headers).not.toContain('Set-Cookie')
  }
})

test('R4.7r the end of a window says signed in to whoever is, and to nobody else', async () => {
  for (const path of [`${WINDOW}/done`, `${WINDOW}/renewed`, `${FORM}/done`]) {
    const headers = [...NAVIGATION, ...own, 'Sec-Fetch-Dest', 'document']
    const signedIn = await asked(path, headers, true)
    expect([signedIn.status, signedIn.one('write')![0]]).toEqual([
      200,
      expect.stringContaining('<h1>You are signed in</h1>'),
    ])
    const other = await asked(path, headers)
    expect([other.status, other.one('write')![0]]).toEqual([
      401,
      expect.not.stringContaining('You are signed in'),
    ])
  }
})

test.each([
  ['of a page', ['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document']],
  ['of another site', ['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Site', 'cross-site']],
  ['of a frame', ['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'iframe']],
  ['of a browser that says little', []],
])('R4.7s a form %s is not read, and its user learns how to send it again', async (_, said) => {
  const world = await edgeWorld()
  const user = world.ask({
    ...{ authority: HOST, method: 'POST', target: '/send?draft=7' },
    headers: ['Accept', 'text/html', 'Content-Length', '10', ...said],
  })
  user.events.data(octets('text=story'))
  user.events.ended(undefined)
  await vi.waitFor(() => expect(user.status).toBe(401), { timeout: 10_000 })
  expect(user.verbs).not.toContain('startBody')
  expect(user.headers).toEqual(expect.arrayContaining(['Cache-Control', 'no-store']))
  expect(user.headers).not.toContain('Set-Cookie')
  const html = user.one('write')![0] as string
  expect(html).toContain('<h1>Your form was not delivered</h1>')
  expect(html).toContain(`<a href="${FORM}?for=%2F" target="_blank" rel="noopener">`)
  expect(html).not.toMatch(/story|draft|<form|<script/)
  expect(world.audit.events.at(-1)).toMatchObject({ reason: 'form-not-delivered' })
})

test('R4.7s a script, or a program, that sends something learns that it must sign in', async () => {
  for (const said of [
    ['Accept', '*/*'],
    ['Accept', '*/*', 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty'],
    ['Accept', 'application/json', 'X-Requested-With', 'XMLHttpRequest'],
  ]) {
    const world = await edgeWorld()
    const user = world.ask({ authority: HOST, method: 'POST', target: '/send', headers: said })
    await vi.waitFor(() => expect(user.status).toBe(401), { timeout: 10_000 })
    expect(user.code).toBe('sign-in-required')
  }
})
