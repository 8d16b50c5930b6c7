/**
 * The two pages that carry a `#fragment` past the issuer, which would lose it: one on the way there
 * keeps it, one on the way back adds it again.
 *
 * A fragment never leaves the browser: whatever the application keeps in it, perhaps a key, is no
 * business of servers. So it waits in the tab's own `sessionStorage`, one for each tab. Without
 * scripts the pages are a link, and the fragment is lost.
 *
 * @module
 */
import { setCookies, type EdgeRequest } from '../request/edge-request.ts'
import type { WayIn } from '../request/navigation.ts'
import type { PageScript } from '../pages/answer.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'

/**
 * On the way: what an earlier page kept is left alone when the issuer is asked once more, from a
 * path of ours.
 */
export const KEEP_FRAGMENT: PageScript = {
  text: "try{if(!location.pathname.startsWith('/.app-proxy/'))sessionStorage.setItem('app-proxy-fragment',location.hash)}catch{}location.replace(document.getElementById('go-on').href)",
  hash: 'sha256-MdwJXfK0PSN8uwQu0FiYXqLk+JURJv7vtkMSJ5hMIlY=',
}

/**
 * The page on the way back. It appends a kept fragment, which begins with `#`, and changes nothing
 * else of the address.
 */
export const RESTORE_FRAGMENT: PageScript = {
  text: "let hash='';try{hash=sessionStorage.getItem('app-proxy-fragment')||'';sessionStorage.removeItem('app-proxy-fragment')}catch{}location.replace(document.getElementById('go-on').href+(hash[0]==='#'?hash:''))",
  hash: 'sha256-DeWXZSvYqel0MYoyrVgcLS3Gc4Wew+zxow4ihDuKwlQ=',
}

/**
 * On the way, for an address that is too long to be sent along: it waits whole, or the user stays
 * and reads why.
 */
export const KEEP_ADDRESS: PageScript = {
  text: "let kept=location.pathname.startsWith('/.app-proxy/');try{if(!kept)sessionStorage.setItem('app-proxy-address',location.pathname+location.search+location.hash);kept=true}catch{}if(kept)location.replace(document.getElementById('go-on').href)",
  hash: 'sha256-6ugfnOiwTn2K3qjvvSG82PPfKLrMaSUe9kWZBF7cK6o=',
}

/** On the way back. What is put behind the origin stays on it. */
export const RESTORE_ADDRESS: PageScript = {
  text: "let to='';try{to=sessionStorage.getItem('app-proxy-address')||'';sessionStorage.removeItem('app-proxy-address')}catch{}if(to[0]==='/')location.replace(location.origin+to)",
  hash: 'sha256-UI5bBtA3nIut5FUnQ5L+J+/HQsePQrM38a4/lZkCVwo=',
}

/** Whether a request can be answered by a page that goes on by itself. */
export function takesPage(request: EdgeRequest, way: WayIn): boolean {
  return way === 'page' && prefersHtml(request.user.head.headers)
}

/** Where the user is sent, with what cookies, and what their browser keeps meanwhile. */
interface Destination {
  readonly location: string
  readonly setCookies: readonly string[]
  readonly keepsFragment: boolean
  readonly keepsAddress: boolean
}

/** Sends the user to the issuer, by a page that keeps the fragment, or by a redirect. */
export function sendToIssuer(request: EdgeRequest, to: Destination): void {
  if (to.keepsAddress) sendByPage(request, to, 'address-too-long', KEEP_ADDRESS)
  else if (to.keepsFragment) sendByPage(request, to, 'continue-to-sign-in', KEEP_FRAGMENT)
  else request.redirect(to.location, to.setCookies)
}

/** Sends the user to the page they wanted, by a page that adds the fragment, or by a redirect. */
export function sendBack(request: EdgeRequest, to: Destination): void {
  if (to.keepsAddress) sendByPage(request, to, 'signed-in-open-again', RESTORE_ADDRESS)
  else if (to.keepsFragment) sendByPage(request, to, 'signed-in', RESTORE_FRAGMENT)
  else request.redirect(to.location, to.setCookies)
}

const LABELS = {
  'continue-to-sign-in': 'Go on',
  'signed-in': 'Go on',
  'address-too-long': 'Sign in',
  'signed-in-open-again': 'Go to the start page',
} as const

function sendByPage(
  request: EdgeRequest,
  { location, setCookies: cookies }: Destination,
  code: keyof typeof LABELS,
  script: PageScript,
): void {
  request.answer({
    ...OWN_ANSWERS[code],
    status: 200,
    actions: [{ label: LABELS[code], href: location, id: 'go-on' }],
    script,
    headers: setCookies(cookies),
  })
}
