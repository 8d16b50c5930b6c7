/**
 * The two pages that carry a `#fragment` past the issuer, which would lose it: one on the way there keeps it, one on the way back adds it again.
 *
 * A fragment never leaves the browser: whatever the application keeps in it, perhaps a key, is no business of servers. So it waits in the tab's own `sessionStorage`, one
 * for each tab. Without scripts the pages are a link, and the fragment is lost.
 *
 * @module
 */
import { setCookies, type EdgeRequest } from '../edge/edge-request.ts'
import type { WayIn } from '../edge/navigation.ts'
import type { PageScript } from '../pages/answer.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'

/** On the way: what an earlier page kept is left alone when the issuer is asked once more, from a path of ours. */
export const KEEP_FRAGMENT: PageScript = {
  text: "try{if(!location.pathname.startsWith('/.app-proxy/'))sessionStorage.setItem('app-proxy-fragment',location.hash)}catch{}location.replace(document.getElementById('go-on').href)",
  hash: 'sha256-MdwJXfK0PSN8uwQu0FiYXqLk+JURJv7vtkMSJ5hMIlY=',
}

/** On the way back. What is added begins with `#` or is nothing: it changes no other part of the address. */
export const RESTORE_FRAGMENT: PageScript = {
  text: "let hash='';try{hash=sessionStorage.getItem('app-proxy-fragment')||'';sessionStorage.removeItem('app-proxy-fragment')}catch{}location.replace(document.getElementById('go-on').href+(hash[0]==='#'?hash:''))",
  hash: 'sha256-DeWXZSvYqel0MYoyrVgcLS3Gc4Wew+zxow4ihDuKwlQ=',
}

/** Whether a request can be answered by a page that goes on by itself. */
export function takesPage(request: EdgeRequest, way: WayIn): boolean {
  return way === 'page' && prefersHtml(request.user.head.headers)
}

/** Where the user is sent, with what cookies. */
interface Destination {
  readonly location: string
  readonly setCookies: readonly string[]
}

/** Sends the user to the issuer, by a page that keeps the fragment, or by a redirect. */
export function sendToIssuer(request: EdgeRequest, to: Destination, byPage: boolean): void {
  if (byPage) sendByPage(request, to, 'continue-to-sign-in', KEEP_FRAGMENT)
  else request.redirect(to.location, to.setCookies)
}

/** Sends the user to the page they wanted, by a page that adds the fragment, or by a redirect. */
export function sendBack(request: EdgeRequest, to: Destination, byPage: boolean): void {
  if (byPage) sendByPage(request, to, 'signed-in', RESTORE_FRAGMENT)
  else request.redirect(to.location, to.setCookies)
}

function sendByPage(
  request: EdgeRequest,
  { location, setCookies: cookies }: Destination,
  code: 'continue-to-sign-in' | 'signed-in',
  script: PageScript,
): void {
  request.answer({
    ...OWN_ANSWERS[code],
    actions: [{ label: 'Go on', href: location, id: 'go-on' }],
    script,
    headers: setCookies(cookies),
  })
}
