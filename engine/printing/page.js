// Makes the SVG of a diagram (see svg.py) interactive: fold, zoom, search, hover.
//
// Every box is a <g> with data-parent, its row and place in its parent as they were laid out at first, and whether
// it was folded then. Opening a box makes its row higher and its neighbours move aside: nothing else is laid out
// here.
(function (page) {
  const ROW = 26, MARGIN = 14, TITLE = 22;
  const svg = page.querySelector("svg"), tip = page.querySelector(".tip"), field = page.querySelector("input");
  const boxes = [...svg.querySelectorAll(".box")].map((g, number) => ({
    g, number, rect: g.querySelector("rect"), text: g.querySelector("text"), title: g.querySelector("title").textContent,
    parent: +g.dataset.parent, row: +g.dataset.row, baseX: +g.dataset.x, baseY: +g.dataset.y,
    small: +g.dataset.small, folded: g.dataset.folded === "1", children: [],
  }));
  const root = {children: [], folded: false, parent: null};
  for (const box of boxes) {
    box.parent = box.parent < 0 ? root : boxes[box.parent];
    box.parent.children.push(box);
    box.baseWidth = +box.rect.getAttribute("width");
    box.baseHeight = +box.rect.getAttribute("height");
    box.g.querySelector("title").remove();  // the tip below says it at once, the browser's only after a while
  }
  const edges = [...svg.querySelectorAll(".edge")].map(path => ({
    path, from: boxes[+path.dataset.from], to: boxes[+path.dataset.to],
  }));
  const by = key => (a, b) => a[key] - b[key];
  const sum = numbers => numbers.reduce((a, b) => a + b, 0);

  function measure(box) {  // the size of a box as it is now, and the places of its children
    box.children.forEach(measure);
    if (box.folded || !box.children.length) {
      [box.width, box.height] = box === root ? [0, 0] : [box.children.length ? box.small : box.baseWidth, ROW];
      return;
    }
    const rows = new Map();
    for (const child of [...box.children].sort(by("baseX"))) {
      rows.set(child.row, [...(rows.get(child.row) || []), child]);
    }
    const wider = row => sum(row.map(child => child.width - child.baseWidth));
    let down = 0;
    for (const [, row] of [...rows].sort((a, b) => a[0] - b[0])) {
      const before = Math.max(...row.map(child => child.baseHeight));
      const now = Math.max(...row.map(child => child.height));
      let right = -wider(row) / 2;
      const top = Math.min(...row.map(child => child.baseY + (child.baseHeight - before) / 2)) + down;
      for (const child of row) {
        child.x = child.baseX + right;
        child.y = top + (now - child.height) / 2;
        right += child.width - child.baseWidth;
      }
      down += now - before;
    }
    const left = Math.min(...box.children.map(child => child.x)) - MARGIN;
    box.children.forEach(child => { child.x -= left; });
    box.width = Math.max(...box.children.map(child => child.x + child.width)) + MARGIN;
    box.height = Math.max(...box.children.map(child => child.y + child.height)) + MARGIN;
    const spare = box === root ? 0 : Math.max(0, box.small - box.width);  // a title may be wider than what is below it
    box.children.forEach(child => { child.x += spare / 2; });
    box.width += spare;
  }

  function draw(box, x, y, hidden) {
    if (box !== root) {
      box.g.classList.toggle("hidden", hidden);
      box.g.classList.toggle("open", box.children.length > 0 && !box.folded);
    }
    if (box !== root && !hidden) {
      box.left = x; box.top = y;
      box.g.setAttribute("transform", `translate(${x} ${y})`);
      box.rect.setAttribute("width", box.width);
      box.rect.setAttribute("height", box.height);
      if (box.children.length) box.text.textContent = (box.folded ? "▸" : "▾") + box.text.textContent.slice(1);
    }
    for (const child of box.children) draw(child, x + child.x, y + child.y, hidden || box.folded);
  }

  function shown(box) {  // the outermost folded box around it, or itself
    let result = box;
    for (let each = box; each !== root; each = each.parent) if (each.folded) result = each;
    return result;
  }

  function curve(a, b) {
    const ax = a.left + a.width / 2, bx = b.left + b.width / 2;
    if (a.top + a.height <= b.top || b.top + b.height <= a.top) {
      const isDown = a.top + a.height <= b.top;
      const y = isDown ? a.top + a.height : a.top, v = isDown ? b.top : b.top + b.height, bend = (v - y) / 2;
      return `M${ax} ${y}C${ax} ${y + bend} ${bx} ${v - bend} ${bx} ${v}`;
    }
    const x = a.left < b.left ? a.left + a.width : a.left, u = a.left < b.left ? b.left : b.left + b.width;
    return `M${x} ${a.top + a.height / 2}L${u} ${b.top + b.height / 2}`;
  }

  function update() {
    measure(root);
    draw(root, 0, 0, false);
    const drawn = new Set();
    for (const edge of edges) {
      const a = shown(edge.from), b = shown(edge.to), key = a.number + " " + b.number;
      edge.ends = [a, b];
      edge.path.classList.toggle("hidden", a === b || drawn.has(key));
      drawn.add(key);
      if (a !== b) edge.path.setAttribute("d", curve(a, b));
    }
    search();
  }

  // ---- zoom: the part of the picture that is seen
  let view = {x: 0, y: 0, scale: 1}, touched = false;
  const show = () => svg.setAttribute(
    "viewBox", `${view.x} ${view.y} ${svg.clientWidth / view.scale} ${svg.clientHeight / view.scale}`);
  new ResizeObserver(() => touched ? show() : fit()).observe(svg);
  function zoom(factor, x, y) {
    const scale = Math.min(4, Math.max(0.05, view.scale * factor));
    view.x += x / view.scale - x / scale;
    view.y += y / view.scale - y / scale;
    view.scale = scale;
    show();
  }
  function fit() {
    view.scale = Math.min(1.25, svg.clientWidth / (root.width + 20), svg.clientHeight / (root.height + 20));
    view.x = root.width / 2 - svg.clientWidth / view.scale / 2;
    view.y = -10;
    show();
  }
  function centre(box) {
    view.x = box.left + box.width / 2 - svg.clientWidth / view.scale / 2;
    view.y = box.top + box.height / 2 - svg.clientHeight / view.scale / 2;
    show();
  }
  svg.addEventListener("wheel", event => {
    event.preventDefault();
    touched = true;
    const frame = svg.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 500), event.clientX - frame.left, event.clientY - frame.top);
  }, {passive: false});
  let drag = null, moved = false;
  svg.addEventListener("pointerdown", event => { drag = event; moved = false; touched = true; });
  window.addEventListener("pointerup", () => { drag = null; });
  svg.addEventListener("pointermove", event => {
    if (!drag) return;
    if (Math.abs(event.clientX - drag.clientX) + Math.abs(event.clientY - drag.clientY) < 3) return;
    moved = true;
    view.x -= (event.clientX - drag.clientX) / view.scale;
    view.y -= (event.clientY - drag.clientY) / view.scale;
    drag = event;
    show();
  });

  // ---- fold: what was clicked stays where it is on the screen
  function toggle(box) {
    const [x, y] = [box.left, box.top];
    box.folded = !box.folded;
    update();
    view.x += box.left - x;
    view.y += box.top - y;
    show();
  }
  const boxOf = event => {
    const g = event.target.closest(".box");
    return g && boxes[+g.dataset.id];
  };
  svg.addEventListener("click", event => {
    const box = boxOf(event);
    if (box && box.children.length && !moved) toggle(box);
  });
  function all(folded) {
    boxes.forEach(box => { if (box.children.length) box.folded = folded; });
    update();
    fit();
  }

  // ---- search: what matches is marked, and so are the folded boxes around it; Enter goes to the next
  let found = [], next = 0;
  function search() {
    const words = field.value.toLowerCase();
    found = words ? boxes.filter(box => !box.children.length && box.title.toLowerCase().includes(words)) : [];
    const marked = new Set(found.map(shown));
    boxes.forEach(box => box.g.classList.toggle("found", marked.has(box)));
    page.querySelector(".count").textContent = words ? `${found.length} found` : "";
  }
  field.addEventListener("input", () => { next = 0; search(); });
  field.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !found.length) return;
    const box = found[next++ % found.length];
    for (let each = box.parent; each !== root; each = each.parent) each.folded = false;
    update();
    touched = true;
    view.scale = Math.max(view.scale, 0.8);
    centre(box);
  });

  // ---- hover: the details, and the edges that end here
  svg.addEventListener("pointerover", event => {
    const box = boxOf(event);
    edges.forEach(edge => edge.path.classList.toggle("near", !!box && !!edge.ends && edge.ends.includes(box)));
    tip.hidden = !box;
    tip.textContent = box ? box.title : "";
  });
  svg.addEventListener("pointermove", event => {
    const frame = page.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    tip.style.left = Math.min(x + 14, Math.max(0, frame.width - tip.offsetWidth - 8)) + "px";
    tip.style.top = (y + 18 + tip.offsetHeight > frame.height ? y - tip.offsetHeight - 10 : y + 18) + "px";
  });

  page.querySelector(".open").addEventListener("click", () => all(false));
  page.querySelector(".close").addEventListener("click", () => all(true));
  page.querySelector(".fit").addEventListener("click", fit);
  update();
  fit();
})(document.currentScript.parentElement);
