"""Groups of words that say what kind of work is asked for, in the languages that people ask in most."""

from collections.abc import Mapping

GROUPS: Mapping[str, str] = {
    "greeting": (
        "hi hello hey thanks thank thx bye goodbye please morning ok okay test ping bonjour salut merci hallo danke "
        "hola gracias olá oi obrigado привет спасибо здравствуйте ciao grazie 你好 谢谢 您好 こん にち merhaba"
    ),
    "asks_fact": (
        "what who whom whose when where which define definition meaning capital name translate spell "
        "qui quand où quel quelle quels définis traduis wer wann wo welche welcher übersetze definiere "
        "qué quién cuándo dónde cuál define traduce quem quando onde qual defina traduza "
        "кто когда где какой какая сколько переведи определи 什么 是什 谁是 哪里 哪个 翻译 何で 定义 多少"
    ),
    "asks_why": (
        "why how explain describe discuss reason because cause pourquoi comment explique décris warum wie erkläre "
        "beschreibe cómo explica describe porquê como explique почему как объясни опиши 为什 如何 怎么 解释 说明"
    ),
    "asks_proof": (
        "prove proof proofs derive derivation theorem lemma corollary induction contradiction formally rigorous "
        "rigorously axiom axioms deduce conjecture qed bound bounds invariant invariants optimality converges "
        "convergence correctness irrational undecidable démontre prouve dérive théorème preuve récurrence beweise "
        "beweis leite satz induktion widerspruch demuestra deduce deriva teorema inducción demostración prova demonstre "
        "prove derive indução докажи докажите выведи теорема доказательство индукции 证明 推导 定理 归纳 反证 証明 導出"
    ),
    "asks_design": (
        "design architect architecture implement build develop create construct engineer plan migrate migration optimize "
        "refactor integrate deploy orchestrate conçois implémente construis développe crée architecture entwirf "
        "entwickle implementiere baue erstelle diseña implementa construye desarrolla crea projete implemente construa "
        "desenvolva crie спроектируй реализуй разработай построй создай 设计 实现 构建 开发 架构 搭建 实施 設計 実装"
    ),
    "asks_analysis": (
        "analyze analyse compare contrast evaluate assess review debug fix critique differences difference versus vs "
        "tradeoffs trade pros cons advantages best compare analyse évalue corrige vergleiche analysiere bewerte "
        "unterschied compara analiza evalúa compare analise avalie сравни проанализируй оцени исправь "
        "比较 分析 评估 调试 区别 优缺 对比 优化 审查"
    ),
    "asks_text": (
        "write summarize summarise rewrite list generate draft brainstorm ideas classify extract categorize convert "
        "edit poem story essay email paragraph écris résume liste schreibe fasse zusammen liste escribe resume lista "
        "escreva resuma liste напиши перечисли составь 写一 总结 列出 生成 概括"
    ),
    "code": (
        "function def class import return python java javascript typescript sql code script program algorithm array "
        "string list dict int json api html css regex bug test tests loop variable recursive pandas docker git linux "
        "bash query database func const let var public static void null none true false fonction código função функция "
        "函数 代码 算法 接口 脚本 程序 数据 c go rust react http server client async thread struct print"
    ),
    "systems": (
        "distributed concurrent concurrency scalable scalability consensus tolerance tolerant replication sharding latency "
        "throughput consistency transaction transactions pipeline microservices kubernetes multi tenant realtime "
        "streaming failover rate limiter limiting queue cache caching monitoring security authentication encryption "
        "compliance platform system framework engine infrastructure distribué verteilt verteilten distribuido "
        "распределенной распределённой системы 分布 系统 平台 并发 容错 微服 实时 安全 监控 一致"
    ),
    "maths": (
        "sum product equation integral derivative matrix vector probability polynomial prime integer integers triangle "
        "circle angle area volume ratio fraction sqrt frac log sin cos tan theta pi mod function graph real positive "
        "expected variance calculate compute solve evaluate simplify value equal equals degree root roots square cube "
        "求解 概率 方程 矩阵 вычисли вероятность berechne wahrscheinlichkeit calcula calcule"
    ),
    "science": (
        "energy force mass velocity acceleration electron atom molecule reaction acid enzyme protein gene genes dna rna "
        "cell cells membrane temperature pressure voltage current frequency wavelength quantum species plants animals "
        "solution concentration mol compound bond orbital charge field magnetic"
    ),
    "medicine": (
        "patient disease symptoms treatment diagnosis clinical blood infection therapy drug pain history examination "
        "physician hospital syndrome cancer virus"
    ),
    "law": (
        "court defendant plaintiff contract statute liability trial jury constitutional property negligence murder "
        "statement judge evidence convicted landlord seller buyer law legal attorney"
    ),
    "amounts": (
        "each every per total twice half double third quarter percent dozen times many much more less left remaining "
        "cost costs price dollars cents spend spends buy buys sold sells earn earns hour hours minutes day days week "
        "weeks month year years altogether combined average rest"
    ),
    "conditions": (
        "if then else when unless only must exactly least most without given suppose assume let such except not no nor "
        "cannot never always all any some none neither either both therefore thus hence because although"
    ),
    "grading": "following statements statement true false correct incorrect answer best likely option choose scenario",
    "many_parts": "including include with and also plus et avec und mit y con e com и 包括 以及 并且 支持 和",
    "third_person": "he she his her him they their them man woman boy girl people mr mrs",
    "address": "i you me my your we our us can could would should help want need",
    "grammar": "the a an of to in is are was were be been for on at by from as that this it its or which has have had do does",
}
"""A word in two groups counts for the last of them."""


def index() -> dict[str, int]:
    """The number of the group that each word belongs to."""
    return {word: number for number, words in enumerate(GROUPS.values()) for word in words.split()}
