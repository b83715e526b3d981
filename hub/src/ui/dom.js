// Elements by hand: what is shown is always text, never markup.

/** An element with properties and children; a string among the children is text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Marks that turn the direction of the text after them, so that it reads as it was not written. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** Sets a text where it differs, so that readers aloud and selections are left alone. */
export function say(element, text) {
  const shown = text.replace(TURNING, "\ufffd");
  if (element.textContent !== shown) element.textContent = shown;
}

/** Shows a text, or hides the element where there is none. */
export function sayOrHide(element, text) {
  say(element, text);
  element.hidden = text === "";
}

export function className(element, name) {
  if (element.className !== name) element.className = name;
}

/**
 * Makes a parent's children those of the items, in their order. A child stays the same element as long
 * as its key is there, so that focus and what is open survive.
 */
export function sync(parent, items, keyOf, make, update) {
  const keys = new Set(items.map(keyOf));
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  // First, so that those behind stay where they are: what is put elsewhere loses the focus in some browsers.
  for (const [key, child] of old) if (!keys.has(key)) child.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const there = old.get(key);
    const child = there ?? make(item);
    child.dataset.key = key;
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else if (there && parent.moveBefore) parent.moveBefore(child, place);
    else parent.insertBefore(child, place);
  }
}

/** The same for lines of text. */
export function lines(parent, tag, texts) {
  const items = texts.map((text, place) => ({ text, key: String(place) }));
  sync(parent, items, (item) => item.key, () => el(tag), (child, item) => say(child, item.text));
}

/** What went wrong, with what to do about it. */
export function problemText({ message, remedy }) {
  return remedy ? `${message}. To mend it: ${remedy}` : message;
}

export function sayProblem(element, error) {
  sayOrHide(element, error === null ? "" : problemText(error));
}
