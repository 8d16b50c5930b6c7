/**
 * Pages of the service in your words and your template. Programs that ask for the same get a
 * problem (RFC 9457) with the same words.
 */
import { escape, type Page, type PageRenderer, type RenderedPage } from 'app-proxy/cloud'

export const pages: PageRenderer = {
  words({ code }, acceptLanguage) {
    if (code !== 'no-connector' || !/^de\b/.test(acceptLanguage)) return {}
    const title = 'Die Anwendung ist nicht verbunden'
    const detail = 'Bitte versuchen Sie es in einigen Minuten noch einmal.'
    return { language: 'de', title, detail, actions: [{ label: 'Noch einmal', href: '/' }] }
  },
  html: (page) => ({ html: html(page), contentSecurityPolicy: "default-src 'none'" }),
}

function html({ language = 'en', title, detail, requestId }: Page): RenderedPage['html'] {
  return `<!doctype html>
<html lang="${escape(language)}">
<title>${escape(title)}</title>
<h1>${escape(title)}</h1>
<p>${escape(detail)}</p>
<p>Example Ltd, request ${escape(requestId)}</p>
`
}
