/**
 * Whom a request without a session is sent to sign in, and who is told with a 401 instead: somebody
 * who goes somewhere can follow a redirect to the issuer, a program that fetches something cannot.
 *
 * Browsers say what a request is for in `Sec-Fetch-…`, which no page can forge; everybody else is
 * judged by what they accept.
 *
 * @see spec/PROTOCOL.md, "Redirect or 401"; Fetch Metadata Request Headers
 * @module
 */
import { headerValues, type HeaderList } from '../../protocol/internal.ts'
import { isUnmetWebSocket, upgradeWish } from './upgrade.ts'
import type { Application } from '../directory/directory-port.ts'
import type { UserRequestHead } from './user-exchange.ts'

/**
 * `page`: a page that keeps the `#fragment`, and goes on to the issuer; `redirect`: 302 to the
 * issuer; `refuse`: 401; `window`: 401 with a page that opens the address in a window of its own;
 * `form`: 401 with a page that says that the form was not delivered.
 */
export type WayIn = 'page' | 'redirect' | 'refuse' | 'window' | 'form'

/** What of a request matters here. */
export interface NavigationFacts {
  /** It would become a WebSocket, or switch to another protocol. */
  readonly upgrade: 'yes' | 'no'
  /** As it is. */
  readonly method: 'GET' | 'HEAD' | 'POST' | 'other'
  /** `X-Requested-With: XMLHttpRequest`; apps say other things there, even when they navigate. */
  readonly script: 'yes' | 'no'
  /** `Sec-Purpose` or `Purpose` with `prefetch`: nobody has gone there yet. */
  readonly prefetch: 'yes' | 'no'
  /** `Sec-Fetch-Mode`. */
  readonly mode: 'navigate' | 'other' | 'none'
  /** `Sec-Fetch-Dest`; `frame`: any in which a page is shown inside another. */
  readonly destination: 'document' | 'frame' | 'other' | 'none'
  /** `Sec-Fetch-Site`. `foreign`: another origin's page led there, or the field is missing. */
  readonly site: 'own' | 'foreign'
  /** The application's `embedding` is configured. */
  readonly embedding: 'yes' | 'no'
  /**
   * `page`: `text/html` is named; `anything`: nothing is named, `*`/`*` and `text/*` at the most;
   * `other`: only other things are.
   */
  readonly accept: 'page' | 'anything' | 'other'
  /** Whether the application takes tokens of programs (`bearer`). */
  readonly tokens: 'yes' | 'no'
}

/** One row: it holds when each fact it names is one of those listed. */
export interface NavigationRule {
  readonly when: { readonly [F in keyof NavigationFacts]?: readonly NavigationFacts[F][] }
  readonly then: WayIn
  readonly because: string
}

/** The first row that holds decides; the last holds always. */
// prettier-ignore
export const NAVIGATION: readonly NavigationRule[] = [
  { when: { upgrade: ['yes'] },                        then: 'refuse',   because: 'A handshake follows no redirect.' },
  { when: { method: ['other'] },                       then: 'refuse',   because: 'What it would do or send must not get lost on the way.' },
  { when: { script: ['yes'] },                         then: 'refuse',   because: 'A script says so itself.' },
  { when: { prefetch: ['yes'] },                       then: 'refuse',   because: 'No sign-in is begun for a page that nobody opened; the browser asks again when somebody does.' },
  { when: { mode: ['other'] },                         then: 'refuse',   because: '`cors`, `no-cors`, `same-origin`: a script, a form of one, or a part of a page.' },
  { when: { method: ['POST'], mode: ['navigate'] },     then: 'form',     because: 'A form that somebody sent: nothing of it is kept or sent along, and their browser may still have it.' },
  { when: { method: ['POST'], mode: ['none'], destination: ['none'], accept: ['page'] },
                                                       then: 'form',     because: 'The same, of a browser that does not say more.' },
  { when: { method: ['POST'] },                        then: 'refuse',   because: 'A program that sends something.' },
  { when: { mode: ['navigate'], destination: ['document'], method: ['GET'] },
                                                       then: 'page',     because: 'A browser goes there: the page keeps what stands behind `#`, which the issuer\'s pages would lose.' },
  { when: { mode: ['navigate', 'none'], destination: ['frame'], site: ['foreign'], embedding: ['no'] },
                                                       then: 'window',   because: 'A frame on a page of another origin: no sign-in begins where its page may have opened dozens, and where browsers may keep no cookie.' },
  { when: { mode: ['navigate'] },                      then: 'redirect', because: 'A frame: whoever is signed in at the issuer comes back without seeing it; whether its pages may be framed, the issuer says.' },
  { when: { destination: ['other'] },                  then: 'refuse',   because: 'A part of a page, or a script.' },
  { when: { accept: ['other'] },                       then: 'refuse',   because: 'A program that wants data, and would take a sign-in page for it.' },
  { when: { accept: ['anything'], mode: ['none'], destination: ['none'], tokens: ['yes'] },
                                                       then: 'refuse',   because: 'git, container and package clients, scripts: they would take the sign-in page for data, and have a token for whoever asks.' },
  { when: {},                                          then: 'redirect', because: 'curl, and browsers that do not say more.' },
]

/** How a request without a session gets in. */
export function wayIn(
  head: UserRequestHead,
  application: Pick<Application, 'bearer' | 'embedding'>,
): WayIn {
  return decideWayIn(navigationFacts(head, application))
}

export function decideWayIn(facts: NavigationFacts): WayIn {
  const rule = NAVIGATION.find(({ when }) =>
    Object.entries(when).every(([name, values]: [string, readonly string[]]) =>
      values.includes(facts[name as keyof NavigationFacts]),
    ),
  )
  return rule!.then
}

export function navigationFacts(
  head: UserRequestHead,
  { bearer, embedding }: Pick<Application, 'bearer' | 'embedding'>,
): NavigationFacts {
  const { method, headers } = head
  const one = (name: string) => {
    const values = headerValues(headers, name)
    return values.length === 0 ? undefined : values.join(',').trim().toLowerCase()
  }
  const mode = one('sec-fetch-mode')
  const destination = one('sec-fetch-dest')
  return {
    upgrade: upgradeWish(head) !== undefined || isUnmetWebSocket(head) ? 'yes' : 'no',
    method: method === 'GET' || method === 'HEAD' || method === 'POST' ? method : 'other',
    script: one('x-requested-with') === 'xmlhttprequest' ? 'yes' : 'no',
    prefetch: /\bprefetch\b/.test(one('sec-purpose') ?? one('purpose') ?? '') ? 'yes' : 'no',
    mode: mode === undefined ? 'none' : mode === 'navigate' ? 'navigate' : 'other',
    destination: destinationOf(destination),
    site: isOwnSite(one('sec-fetch-site'), one('sec-fetch-storage-access')) ? 'own' : 'foreign',
    embedding: embedding === undefined ? 'no' : 'yes',
    accept: acceptOf(headers),
    tokens: bearer === undefined ? 'no' : 'yes',
  }
}

/** Whether a request is for a page that is shown inside another. */
export function isForFrame({ headers }: UserRequestHead): boolean {
  return FRAMES.includes(headerValues(headers, 'sec-fetch-dest').join(',').trim().toLowerCase())
}

/**
 * `Sec-Fetch-Storage-Access`. `none`: the field is missing; browsers send it only inside another
 * site's page.
 */
function isOwnSite(site: string | undefined, storage: string | undefined): boolean {
  return (site === 'same-origin' || site === 'none') && storage === undefined
}

const FRAMES = ['iframe', 'frame', 'fencedframe', 'embed', 'object']

function destinationOf(destination: string | undefined): NavigationFacts['destination'] {
  if (destination === undefined) return 'none'
  if (destination === 'document') return 'document'
  return FRAMES.includes(destination) ? 'frame' : 'other'
}

function acceptOf(headers: HeaderList): NavigationFacts['accept'] {
  let isSpecific = false
  for (const range of headerValues(headers, 'accept').join(',').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    if (type === '' || parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter)))
      continue
    if (type === 'text/html' || type === 'application/xhtml+xml') return 'page'
    isSpecific ||= type !== '*/*' && type !== 'text/*'
  }
  return isSpecific ? 'other' : 'anything'
}
