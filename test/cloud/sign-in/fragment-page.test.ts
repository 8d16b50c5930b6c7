import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { KEEP_FRAGMENT, RESTORE_FRAGMENT } from '../../../src/cloud/sign-in/fragment-page.ts'
import { CLOSE_WINDOW } from '../../../src/cloud/sign-in/window-paths.ts'

test.each([
  ['there', KEEP_FRAGMENT],
  ['back', RESTORE_FRAGMENT],
  ['to the end of a window', CLOSE_WINDOW],
])('the script on the way %s is the one its policy names', (_, { text, hash }) => {
  expect(hash).toBe(`sha256-${createHash('sha256').update(text).digest('base64')}`)
})

/** Runs a script of ours where `window` would be; returns where it goes. */
function run(
  { text }: typeof KEEP_FRAGMENT,
  at: string,
  link: string,
  sessionStorage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
): string {
  let went = ''
  const { pathname, hash } = new URL(at)
  const location = { pathname, hash, replace: (to: string) => void (went = to) }
  const document = { getElementById: () => ({ href: link }) }
  new Function('location', 'document', 'sessionStorage', text)(location, document, sessionStorage)
  return went
}

function storage() {
  const kept = new Map<string, string>()
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    kept,
  }
}

const ISSUER = 'https://sts.example/authorize?state=a'
const DEEP = 'https://app.example/a?b=c'

describe('a fragment', () => {
  test('waits in the tab, is added on the way back, and is forgotten', () => {
    const tab = storage()
    expect(run(KEEP_FRAGMENT, `${DEEP}#one/two`, ISSUER, tab)).toBe(ISSUER)
    expect(run(RESTORE_FRAGMENT, 'https://app.example/.app-proxy/x', DEEP, tab)).toBe(
      `${DEEP}#one/two`,
    )
    expect(tab.kept.size).toBe(0)
  })

  test('stays through a second visit to the issuer', () => {
    const tab = storage()
    run(KEEP_FRAGMENT, `${DEEP}#one`, ISSUER, tab)
    run(KEEP_FRAGMENT, 'https://app.example/.app-proxy/sign-in/callback', ISSUER, tab)
    expect(run(RESTORE_FRAGMENT, 'https://app.example/', DEEP, tab)).toBe(`${DEEP}#one`)
  })

  test('of an attempt before is not taken for this one’s', () => {
    const tab = storage()
    run(KEEP_FRAGMENT, `${DEEP}#old`, ISSUER, tab)
    run(KEEP_FRAGMENT, DEEP, ISSUER, tab)
    expect(run(RESTORE_FRAGMENT, 'https://app.example/', DEEP, tab)).toBe(DEEP)
  })

  test('that somebody else left there leads nowhere else', () => {
    const tab = storage()
    tab.setItem('app-proxy-fragment', '.evil.example/')
    expect(run(RESTORE_FRAGMENT, 'https://app.example/', DEEP, tab)).toBe(DEEP)
  })

  test('is lost where nothing can be kept, and the user goes on', () => {
    const refusing = () => {
      throw new Error('SecurityError')
    }
    const none = { getItem: refusing, setItem: refusing, removeItem: refusing }
    expect(run(KEEP_FRAGMENT, `${DEEP}#one`, ISSUER, none)).toBe(ISSUER)
    expect(run(RESTORE_FRAGMENT, 'https://app.example/', DEEP, none)).toBe(DEEP)
  })
})
