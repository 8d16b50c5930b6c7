/**
 * Heads as they are in life: a browser's request and a web server's answer, twelve header fields each.
 *
 * @module
 */
import { DATA_BYTES, type Hello, type Offer, type ResponseHead } from 'app-proxy/protocol'

export const OFFER: Offer = {
  id: '0123456789abcdef0123456789abcdef',
  attempt: 1,
  applicationId: 'intranet',
  applicationVersion: '5f2b8c1d',
  method: 'GET',
  target: '/reports/2031/q2?view=summary&sort=-date',
  // prettier-ignore
  headers: [
    'Host', '10.0.0.12:8080',
    'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
    'Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Accept-Encoding', 'gzip, deflate, br, zstd',
    'Accept-Language', 'en-GB,en;q=0.9,de;q=0.8',
    'Cache-Control', 'max-age=0',
    'Referer', 'https://intranet.contoso.example/reports',
    'Cookie', 'theme=dark; report-view=compact; csrf=8c2f3d1e9a774b50',
    'Forwarded', 'for=198.51.100.7;host=intranet.contoso.example;proto=https',
    'X-Forwarded-For', '198.51.100.7',
    'X-Forwarded-Proto', 'https',
    'X-User', 'alice@contoso.example',
  ],
  user: {
    subject: 'user-alice',
    issuer: 'https://login.example/contoso',
    name: 'Alice Example',
    groups: ['staff', 'engineering'],
  },
  body: { kind: 'none' },
  upgrade: undefined,
  remainingMs: 5_000,
  origin: 'cloud-1',
}

export const RESPONSE: ResponseHead = {
  status: 200,
  // prettier-ignore
  headers: [
    'Date', 'Tue, 14 Oct 2031 09:12:44 GMT',
    'Content-Type', 'text/html; charset=utf-8',
    'Content-Length', '1024',
    'Cache-Control', 'private, max-age=60',
    'ETag', '"5f2b8c1d-400"',
    'Last-Modified', 'Tue, 14 Oct 2031 08:00:00 GMT',
    'Vary', 'Accept-Encoding, Cookie',
    'Set-Cookie', 'report-view=compact; Path=/; HttpOnly; SameSite=Lax',
    'X-Content-Type-Options', 'nosniff',
    'X-Frame-Options', 'SAMEORIGIN',
    'Content-Security-Policy', "default-src 'self'; img-src 'self' data:",
    'Server', 'nginx',
  ],
}

export const HELLO: Hello = {
  versions: [1],
  run: 'benchmark',
  index: 0,
  epoch: 1,
  offers: 200,
  granted: 200,
  maxDataBytes: DATA_BYTES,
  features: ['link'],
}
