/**
 * What a document's links are by the tree that parse5 makes of it: the judge of the translator.
 *
 * @module
 */
import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5'

type Node = DefaultTreeAdapterTypes.Node
export type Element = DefaultTreeAdapterTypes.Element

/** A document's tree, in one text, as somebody who runs no scripts sees it. */
export function treeOf(html: string, visit: (element: Element) => void = () => undefined): string {
  const lines: string[] = []
  write(parse(html, { scriptingEnabled: false, sourceCodeLocationInfo: true }), lines, visit, 0)
  return lines.join('\n')
}

function write(node: Node, lines: string[], visit: (element: Element) => void, depth: number) {
  if (defaultTreeAdapter.isElementNode(node)) {
    visit(node)
    const attributes = node.attrs.map(
      ({ prefix, name, value }) => `${prefix ?? ''}|${name}=${JSON.stringify(value)}`,
    )
    lines.push(`${depth} <${node.namespaceURI} ${node.tagName} ${attributes.join(' ')}>`)
  } else if (defaultTreeAdapter.isTextNode(node))
    lines.push(`${depth} ${JSON.stringify(node.value)}`)
  else if (defaultTreeAdapter.isCommentNode(node))
    lines.push(`${depth} <!-- ${JSON.stringify(node.data)}`)
  if ('content' in node)
    for (const child of node.content.childNodes) write(child, lines, visit, depth + 1)
  if ('childNodes' in node)
    for (const child of node.childNodes) write(child, lines, visit, depth + 1)
}

export function isHtml({ namespaceURI }: Element): boolean {
  return namespaceURI === 'http://www.w3.org/1999/xhtml'
}

/**
 * Whether a `noscript` holds what ends it for those who run scripts: to them the document is another
 * one.
 */
export function isReadTwoWays(element: Element): boolean {
  return element.tagName === 'noscript' && isHtml(element) && /<\/noscript/i.test(valuesOf(element))
}

function valuesOf(node: Node): string {
  const own = 'value' in node ? node.value : 'data' in node ? node.data : ''
  const attributes = 'attrs' in node ? node.attrs.map(({ value }) => value) : []
  const children = 'childNodes' in node ? node.childNodes.map(valuesOf) : []
  const content = 'content' in node ? valuesOf(node.content) : ''
  return [own, ...attributes, ...children, content].join(' ')
}

/** Whether an `svg` or `math` is closed by something else than its end tag. */
export function isClosedByOthers(element: Element): boolean {
  const parent = element.parentNode
  const isRoot = !isHtml(element) && parent !== null && 'tagName' in parent && isHtml(parent)
  return isRoot && element.sourceCodeLocation?.endTag === undefined
}
