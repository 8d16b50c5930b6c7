/**
 * Whether controls can be made out, and the one that has the focus: 3 : 1 for edges and rings, 4.5 : 1 for
 * words (WCAG 2.2, 1.4.3 and 1.4.11). Audits look at words alone.
 */
import type { Page } from 'playwright-core'

const CONTROLS = 'input:not([type=hidden]), select, textarea, button, a.button'
const SCHEMES = ['dark', 'light'] as const

/** What of a page's controls cannot be told from what it lies on, in light and in dark. */
export async function contrastFaults(page: Page): Promise<string[]> {
  const faults = new Set<string>()
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme })
    const look = async (at: 'all' | 'focused') => {
      for (const fault of await page.evaluate(faultsOf, [CONTROLS, at] as const))
        faults.add(`${colorScheme}: ${fault}`)
    }
    await look('all')
    // The keyboard's focus shows a ring; a script's need not.
    const count = await page.locator(`${CONTROLS}, a`).count()
    for (let i = 0; i <= count; i++) {
      await page.keyboard.press('Tab')
      await look('focused')
    }
  }
  return [...faults]
}

/** Runs in the page, where nothing else of this file is. */
function faultsOf([controls, at]: readonly [string, 'all' | 'focused']): string[] {
  const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (colour: string) => {
    const [r, g, b] = channels(colour).map((octet) => {
      const value = octet / 255
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  const contrast = (one: string, other: string) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (light! + 0.05) / (dark! + 0.05)
  }
  const groundOf = (element: Element | null): string => {
    if (element === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    const isSeen = (channels(backgroundColor)[3] ?? 1) > 0
    return isSeen ? backgroundColor : groundOf(element.parentElement)
  }
  const nameOf = (element: Element) => element.outerHTML.slice(0, 60)

  if (at === 'focused') {
    const element = document.activeElement
    if (element === null || !element.matches(`${controls}, a`)) return []
    const { outlineColor, outlineStyle, outlineWidth } = getComputedStyle(element)
    const isRinged = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
    const told = isRinged ? contrast(outlineColor, groundOf(element.parentElement)) : 1
    return told < 3 ? [`${nameOf(element)}: its ring has ${told.toFixed(2)} : 1`] : []
  }
  const elements = [...document.querySelectorAll(controls)]
  if (elements.length === 0) return ['there are no controls']
  return elements.flatMap((element) => {
    const { borderTopColor, borderTopWidth, color } = getComputedStyle(element)
    const around = groundOf(element.parentElement)
    const own = groundOf(element)
    const edge = parseFloat(borderTopWidth) > 0 ? contrast(borderTopColor, around) : 1
    const told = Math.max(edge, contrast(own, around))
    const words = contrast(color, own)
    return [
      ...(told < 3 ? [`${nameOf(element)}: its edge has ${told.toFixed(2)} : 1`] : []),
      ...(words < 4.5 ? [`${nameOf(element)}: its words have ${words.toFixed(2)} : 1`] : []),
    ]
  })
}
