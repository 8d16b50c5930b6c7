/**
 * The one style of all pages, and its hash: nothing else may style a page.
 *
 * Every pair of colours has a contrast of at least 4.5 : 1 (7 : 1 for the text), in light and dark;
 * a test computes it. Nothing is told by colour alone, and nothing moves.
 *
 * @module
 */

/** What the pages are painted with. */
export const COLOURS = {
  light: {
    paper: '#fbfaf8',
    ink: '#1d1f24',
    soft: '#555b66',
    line: '#d9d6cf',
    edge: '#85817a',
    accent: '#1a54ad',
    on: '#ffffff',
    bad: '#a3242b',
  },
  dark: {
    paper: '#17181b',
    ink: '#eceae6',
    soft: '#adb2bc',
    line: '#3c3f46',
    edge: '#767b86',
    accent: '#92b8ff',
    on: '#10141c',
    bad: '#ff9d97',
  },
} as const

const variables = (colours: Readonly<Record<string, string>>) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(';')

export const STYLE =
  `:root{color-scheme:light dark;${variables(COLOURS.light)}}` +
  `@media(prefers-color-scheme:dark){:root{${variables(COLOURS.dark)}}}` +
  '*{box-sizing:border-box}' +
  'html{-webkit-text-size-adjust:100%;background:var(--paper);color:var(--ink)}' +
  'body{max-width:40rem;margin:0 auto;padding:clamp(2rem,12vh,7rem) 1.5rem 3rem;' +
  'font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;' +
  'overflow-wrap:anywhere}' +
  'header{display:flex;align-items:center;gap:.75rem;margin:0 0 2.5rem;font-weight:600}' +
  'header img{display:block;height:2.25rem;max-width:12rem;object-fit:contain}' +
  '.app{margin:0 0 .375rem;color:var(--soft);font-weight:600}' +
  'h1{margin:0 0 .75rem;font-size:clamp(1.6rem,1.2rem + 2vw,2.1rem);line-height:1.2;letter-spacing:-.015em;text-wrap:balance}' +
  'h2{margin:2.5rem 0 1rem;font-size:.9375rem;line-height:1.4}' +
  'p{margin:0;max-width:34rem;text-wrap:pretty}' +
  '.next{display:flex;flex-wrap:wrap;gap:.75rem;margin:2rem 0 0;padding:0;list-style:none}' +
  '.next form{margin:0}' +
  '.next a,.next button{display:inline-block;padding:.625rem 1.125rem;border:1px solid var(--edge);border-radius:.5rem;' +
  'background:none;color:var(--accent);font:inherit;font-weight:600;line-height:1.4;text-decoration:none;cursor:pointer}' +
  '.next li:first-child>a,.next li:first-child button{border-color:var(--accent);background:var(--accent);color:var(--on)}' +
  '.next a:hover,.next button:hover{text-decoration:underline;text-underline-offset:.2em}' +
  ':focus-visible{outline:3px solid var(--accent);outline-offset:3px}' +
  '.way{display:flex;flex-direction:column;gap:.875rem;margin:0;padding:0;list-style:none;font-size:.9375rem;line-height:1.4}' +
  '.way li{display:grid;grid-template-columns:1.625rem 1fr;column-gap:.75rem;align-items:center}' +
  '.way i{grid-row:span 2;display:grid;place-items:center;width:1.625rem;height:1.625rem;border:1.5px solid var(--soft);' +
  'border-radius:50%;color:var(--soft);font:600 .875rem/1 system-ui,sans-serif}' +
  '.way b{font-weight:600}' +
  '.way span{color:var(--soft);font-size:.875rem}' +
  '.way .here i{border-color:var(--bad);background:var(--bad);color:var(--paper)}' +
  '.way .here span{color:var(--bad);font-weight:600}' +
  '.way .after b{color:var(--soft);font-weight:400}' +
  '.way .after i{border-style:dashed}' +
  '@media(min-width:38rem){.way{flex-direction:row;gap:0}' +
  '.way li{position:relative;flex:1;grid-template-columns:1fr;align-content:start;justify-items:start;padding-right:1rem}' +
  '.way li:not(:last-child)::after{content:"";position:absolute;top:.8125rem;left:2.25rem;right:.625rem;border-top:1.5px solid var(--line)}' +
  '.way i{grid-row:auto;margin:0 0 .625rem}}' +
  'footer{margin:3rem 0 0;padding:1.25rem 0 0;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem;line-height:1.5}' +
  'dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1.25rem;margin:0}' +
  'dd{margin:0;color:var(--ink)}' +
  'code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}' +
  'footer p{margin:1rem 0 0}'

/** The hash of {@link STYLE}. */
export const STYLE_HASH = 'sha256-QHP4Et5roiqhshWtv26WxoeCeHb2DRjNa/YGD+N+FZc='
