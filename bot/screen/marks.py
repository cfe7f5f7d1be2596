"""Marks of secrecy and of inner papers, by their form: never the bare word.

保守国家秘密法实施条例 art. 21: a mark is a level and a term, parted by a star; GB/T 9704-2012, 7.2.2:
it stands at the head. Texts that speak of secrets (保守国家秘密, 机密级, 商业秘密) bear none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

_HAN = "\u3400-\u9fff"
_HANS = f"[{_HAN}]"
_STARS = "★☆✩✭✮⭐🌟"
_OPEN, _CLOSE = "【〔［\\[（(〖", "】〕］\\]）)〗"

# ---------------------------------------------------------------- secrecy-mark

_LEVEL = "(?:绝 ?密|机 ?密|秘 ?密)级?"
_TERM = (
    r"(?:(?:解密(?:时间|日期|年限)?[为：: ]?)?[0-9]{4} ?年|[0-9]{1,2} ?(?:年|个月|月|天|日)|[一二三四五六七八九十]{1,3}(?:年|个月)|长期|永久"
    rf"|[{_HAN}]{{2,8}}(?:前|后))"
)
_STARRED = late(rf"(?<!工作)({_LEVEL}) ?[{_STARS}*＊﹡∗✱·•]{{1,3}} ?({_TERM})?")
# Other signs in the star's stead: only with a length of time, and after no word.
_PARTED = late(rf"(?<![{_HAN}])({_LEVEL}) ?[-—–－▲△◆◇●■/／·] ?(?:[0-9]{{1,2}} ?(?:年|个月)|长期)")
_HEADED = late(
    rf"^ *(?:[0-9]{{6}} )? *({_LEVEL})(?: *[（(：: ] *[0-9一二三四五六七八九十]{{1,3}} ?(?:年|个月) *[）)]?)? *$|(?:密级 ?[{_STARS}])({_LEVEL})|(?<![{_HAN}])[{_OPEN}] ?({_LEVEL}) ?[{_CLOSE}]",
    re.M,
)
_STATED = late(rf"(?:密 ?级|保密等级)(?:[和及与、]保密期限)? ?[：:] ?({_LEVEL})(?![{_HAN}])")
_SECRECY_SAID = Say("国家秘密标志。标有密级的内容不得发布；误标的，请经保密审查后删去").text
_SECRECY_DOUBTED = Say("疑似密级标注。请经保密审查后再发").text
_HEAD = 400  # a mark alone on its line is looked for as far as a document's head goes


def secrecy(text: str, context: Context) -> Iterator[Hit]:
    """机密★10年 and its like block; a level alone on a line of the head, or stated, warns."""
    for match in _STARRED.finditer(text):
        alone = not re.match(f"[{_HAN}]", text[match.start() - 1 : match.start()] or "。")
        if match[2] or (alone and any(star in match[0] for star in _STARS)):
            yield Hit("secrecy-mark", Severity.BLOCK, *match.span(), _SECRECY_SAID)
    for match in _PARTED.finditer(text):
        yield Hit("secrecy-mark", Severity.BLOCK, *match.span(), _SECRECY_SAID)
    for pattern in (_HEADED, _STATED):
        for match in pattern.finditer(text, 0, _HEAD):
            span = match.span(match.lastindex or 0)
            yield Hit("secrecy-mark", Severity.WARN, *span, _SECRECY_DOUBTED)


# ---------------------------------------------------------------- work-secret, internal-mark, not-public

# What a caution says: each a way to bid that a paper be kept.
_FORBIDDEN = "(?:不得|严禁|禁止|不准|不可|请?勿|切勿)"
_PLEASE_NOT = "(?:请勿|不得|严禁|禁止|切勿|勿)"
_BIDS = {
    "keep": "(?:请|应|须)?(?:注意|妥善)(?:保管|保存|保密)",
    "please": "(?:请|切|敬请)勿(?:外传|外泄|扩散|转发|传播|翻印|复印|公开)",
    "spread": "(?:不得|严禁|禁止|不准|不可|勿|切勿|请勿)(?:外传|外泄|扩散|对外传播|对外公开|对外发布|对外公布|转发|传播|翻印|复印|公开|转载|引用|上网(?:传播)?)",
    "reference": "仅供参考",
    "return": "(?:阅|用|会)后(?:收回|即毁|销毁|退回)",
    "network": (
        rf"{_FORBIDDEN}(?:通过|使用|利用|在|经|用)?(?:互联网|网络|公网|外网|微信|QQ|群|社交软件|即时通信|手机)"
        r"[^。；\n]{0,8}?(?:传输|传递|传送|发送|发布|传播|转发|处理|存储|谈论)"
    ),
    "copy": (
        "(?:不得|严禁|禁止|不准|请?勿|切勿)(?:擅自)?"
        "(?:拍照|拍摄|翻拍|截[屏图]|摘抄|复制|留存|带离|带出|录音|外借|泄露|泄漏|外流|对外|散发|张贴)"
    ),
    "narrow": "(?:严格)?控制(?:知悉|传播|阅[读知])范围",
    "by whom": r"(?:专人|按规定)(?:保管|管理)|限[\u4e00-\u9fff]{1,8}(?:阅|知悉|掌握)",
}
_KEEP = "|".join(_BIDS.values())
_PAPER = "(?:资料|文件|材料|刊物|信息|文稿|通报|通知|明电|讨论稿|讲话|情况)"
_WORK = late(
    rf"工作秘密 ?[{_STARS}*＊▲△◆◇■]|(?<![^为是属系于\W])(?<!、)工作秘密[，,：:、·—\-\s]+(?:{_KEEP})|工作秘密(?=[{_CLOSE}\n]|$)"
    r"|(?<=[，。；（])(?:系|属于?)工作秘密(?=[，。；、）]|$)|(?:提纲|材料|内容|文件|事项|名单|数据|信息|方案|记录|纪要|清单)(?:系|属于?|均?为)工作秘密(?=[，。；、]|$)"
    rf"|(?:^|(?<=[\n{_OPEN}]))工作秘密[·• ]{{0,2}}[0-9一二三四五六七八九十]{{1,2}}年内"
    rf"|(?:^|(?<=[\n{_OPEN}：: ]))工作秘密(?:级|事项)?[ ：:，,·\-—（(]{{0,2}}{_TERM}(?=[ ）){_CLOSE}\n]|$)"
    rf"|(?:此件|本件|此文件?|本文件?|本材料|该件|密级|标[识志注]|属性|[本该][{_HAN}]{{2}})(?:[：:]|(?:系|属于?|为|是)) ?工作秘密(?![{_HAN}])"
)
INNER_SIGNS = (
    *("内部", "内参", "商密", "涉密", "保密", "密件", "保管", "稿"),
    *(
        "外传",
        "外泄",
        "扩散",
        "对外",
        "转发",
        "上网",
        "翻印",
        "登报",
        "外借",
        "泄露",
        "泄漏",
        "透露",
    ),
    *(
        "后请",
        "后即",
        "后立即",
        "后统一",
        "后收回",
        "后销毁",
        "后退回",
        "后退还",
        "后删除",
        "看完即删",
    ),
    *("仅限", "仅供", "仅用于", "仅作", "只限", "只供", "只用于", "只作", "知悉", "本人掌握"),
    *("参阅", "领导阅", "领导审阅", "发至", "传达", "未经", "暂勿"),
    *("拍照", "翻拍", "截屏", "朋友圈", "不要发", "不要转", "不要传"),
    *("不公开", "勿公开", "不作公开", "不宜公开", "不得公开"),
)
_GAP = r"[，,：:、·；;！!— \n]"
_INSIDE = {
    "inner paper, keep": (
        rf"(?:仅供|供|仅限)?(?:机关|单位|系统|党内)?内部{_PAPER}?(?:使用|参考|传阅|掌握|参阅|交流|学习)?"
        rf"{_GAP}{{0,3}}(?:{_KEEP})"
    ),
    "for the inside": "(?:仅供|仅限|只限|只供|限|供)(?:本?(?:机关|单位|系统|部门)|党内)?内部(?:使用|参考|传阅|掌握|参阅|交流|学习)",
    "inner paper": f"(?:机关|单位)?内部(?:{_PAPER}|使用|传阅|参考|掌握|讨论|明电)",
    "return": "(?:阅|看|用|会)后(?:立即|统一|请|应)?(?:收回|即毁|即焚|即删|销毁|退回|删除)|看完即删",
    "trade secret": f"(?:核心|普通)商密 ?[{_STARS}▲◆]",
    "draft, keep": f"(?:征求意见稿|讨论稿|送审稿|草案)[，,、：: ]{{0,2}}(?:{_KEEP})",
    "spread": (
        "(?:此件|此信息|此群内信息|未经(?:许可|批准|同意)|请)?(?:请勿|不得|严禁|禁止|切勿|请?不要|勿)(?:截图|转发|对外)?"
        r"(?:外传|扩散|转发(?:到?[\u4e00-\u9fff]{0,2}外|朋友圈)?|上网(?:传播|发布)?)"
    ),
    "to the outside": "(?:此信息|此件|暂|请)?(?:不得?|不予|勿|请勿|不要|严禁|禁止)对外(?:公开|公布|发布|传播)",
    "only these": (
        r"仅限[\u4e00-\u9fff]{1,8}(?:阅知|传达|传阅|知悉|掌握|参阅)"
        r"|仅限(?:本?(?:单位|系统|机关|部门|科室|局|委)|干部|领导|工作人员)[\u4e00-\u9fff]{0,4}(?:使用|查阅)"
    ),
    "confidential": "请?注意保密|保密(?:材料|资料|文件)|不宜(?:公开|扩散|外传)",
    "secret paper": (
        rf"(?:涉密|敏感|内部|未公开|会议)(?:文件|材料|资料|信息|数据|内容)?{_GAP}{{1,3}}(?:{_KEEP})|涉密(?:文件|材料|资料)"
    ),
    "for the leaders": r"(?:仅)?供[\u4e00-\u9fff]{0,6}(?:领导|决策)[\u4e00-\u9fff]{0,4}(?:参阅|参考|阅示)",
    "inner reading": "内部参阅|内参|内部(?:通报|简报|专报|交流|传阅件|征求意见稿?|征求意见)",
    "hand back": "(?:阅|用|会)后(?:请)?(?:退还|及时交回|交回|归还|收回|清退|上交)",
    "copy": f"{_PLEASE_NOT}(?:(?:翻拍|拍照|截屏|截图|拍摄)[、和及或]?(?:外传|转发|传播|上传))",
    "post": "(?:请勿|不得|严禁|禁止|切勿|勿|不要)(?:发|传|转)(?:到|至)?(?:朋友圈|微信群|群里|网上|抖音)",
    "narrow": "(?:严格)?控制(?:知悉|传播)范围|暂不(?:对外|公开|发布)|仅对内(?:使用|发布)",
}
_INNER = late("|".join(_INSIDE.values()))
# What a paper says of itself: what is forbidden, who alone may have it, until when. Each warns
# wherever it stands.
_ITSELF = (
    "[此本上以](?<!“.)(?:(?<=[此本])件|(?<=此)文(?=[不请勿])|(?<=[上以])[述上](?:内容|情况|口径|名单|数据)"
    "|(?<=[此本])(?<![日基根成因如].)(?:口径|纪要|期(?:报告|简报|专报|刊物?|内容)?|刊(?:内容)?|报告|通知|通报|方案|数据|材料|资料"
    "|名单|清单|台账|附件|文件|文稿?|稿|讲话|意见|情况|记录|内容|答复|预案|批复|函|信息|消息|提示|批示|结论|手册|图|表))"
)
_AT = r"[，。；：！（(\s]"  # a clause begins after it
_ORDERS = r"请?暂?勿|切勿|严禁|不得|禁止|不准|不要"
_SHUT = (
    "(?:不(?:对外|作|予|宜|得|可|准|许|能)?(?:对外)?|暂不(?:对外)?|请?勿(?:对外)?|切勿|严禁|禁止|请?不要|谢绝)"
    "(?:擅自|随意|向社会|向外|在网上|自行)?"
    "(?:公开|公布|发布|披露|外传|外泄|上网|翻印|登报|见报|转发|转载|扩散|散发|截图|引用|报道|宣传报道|刊登|外借)"
)
_ONLY = "(?:仅供|仅限|只限|只供|限于?|[仅只](?:用于|作为?))"
_READERS = (
    "内部|各单位|本?系统|机关|本单位|本部门|参会|与会|领导|干部|工作组|成员|评委|有关部门|相关部门|各部门"
    "|班子|党员|值班人员|工作人员|经办人|专班|承办|民警|网格员|命题"
)
_USED = (
    "查看|使用|参考|传阅|掌握|参阅|交流|学习|阅知|知悉|查阅|阅看|阅示|阅读|审阅|讨论|研究|了解|内部"
)
_KEPT_NOUN = (
    "口径|纪要|名单|清单|数据|材料|资料|文稿?|稿|讲话|简报|报告|台账|题目|试题|标底|方案|讲义|手册"
    "|通讯录|信息|附件|内容|底稿|记录"
)
_STOP = r"(?=[。，,；;：！!）)】〕、\s”]|$)"
_NOT_A_MARK = "(?!管理|控制|监督|审计|装修|结构|设施|环境|机构|治理|建设|改革|挖潜|流程|制度|培训|会议|设置|交通|道路|循环|矛盾|员工|职工|人员|网络|系统)"
# A kind: the words one of which stands in it, and its form; a group is what is told.
_OF_ITSELF = {
    "forbids": (
        ("勿", "不", "严禁", "禁止", "谢绝"),
        late(rf"{_ITSELF}(?:[^。，；\n]{{0,14}}，)?[^。，；\n]{{0,8}}?(?<!个人){_SHUT}{_STOP}"),
    ),
    "belongs to": (
        ("内部", "敏感", "涉密", "密件"),
        late(
            rf"{_ITSELF}(?:属于?|系|为|是)[^。；，\n]{{0,4}}(?:内部|敏感|涉密)(?:工作)?(?:信息|数据|资料|材料|文件|情况|事项){_STOP}"
            rf"|(?:系|属于?|均?为|是|作为|标[注有明]为?|列为)[“\"]?(?:本?(?:系统|机关|单位|部门))?"
            rf"(?:内部(?:明电|明传电报|通知|文稿|资料|材料|文件|刊物|掌握|情况|使用|信息)|密件){_STOP}"
            rf"|密级[：:] ?内部{_STOP}|(内部明电)(?=，)|》(内部(?:发行|资料|刊物|交流|参考))|{_AT}(内部(?:掌握|使用|传阅|参考))(?=[，。；！）)\s]|$)"
        ),
    ),
    "for whom": (
        ("仅", "只", "限", "本人掌握"),
        late(
            rf"(?:{_KEPT_NOUN})(?:均|只|，)?{_ONLY}[^。，；\n]{{0,6}}?(?:{_READERS})[^。，；\n]{{0,6}}?(?:{_USED}){_STOP}"
            rf"|{_ONLY}[^。，；\n]{{1,10}}(?:掌握|知悉|阅知|传阅|阅示|阅看){_STOP}|请[^，。；\n]{{1,8}}本人掌握"
        ),
    ),
    "for the inside": (
        ("内部", "干部", "领导", "工作人员", "成员单位", "系统"),
        late(
            rf"(?:本[期刊件稿]|此[件文]|{_KEPT_NOUN}|通报|专报)[^。，,；;\n]{{0,8}}?(?:仅供|仅限|只限|只供|限)(?:本?(?:机关|单位|系统|部门|局|科室|委|厅)|党内)?"
            rf"(?:内部|干部|领导|工作人员){_HANS}{{0,4}}?(?:{_USED}){_STOP}"
            rf"|[。！!；;]((?:仅供|仅限|只限|只供)内部(?:{_USED}))(?=[。，,；;！!])"
            rf"|(?:仅供|仅限|只限|只供){_HANS}{{0,8}}(?:领导|内部|成员单位|系统|干部){_HANS}{{0,6}}?(?:参阅|参考|讨论|掌握|传阅|阅示){_STOP}"
        ),
    ),
    "keep": (
        ("外泄", "外传", "扩散", "保管", "保密"),
        late(
            rf"[{_OPEN}](?=[^{_CLOSE}\n]{{0,30}}(?:外泄|外传|扩散|保管|保密))(?:{_KEEP})(?:[，、,；;](?:{_KEEP}))*[{_CLOSE}]"
            r"|(?:注意|妥善)(?:保管|保存|保密)[，、](?:请勿|不得|严禁|禁止|切勿)(?:外传|外泄|扩散)"
        ),
    ),
    "not without leave": (
        ("未经",),
        late("未经(?:批准|许可|同意|授权)，?不得(?:向社会|对外)(?:公开|发布|公布|披露|传播)"),
    ),
    "to what rank": (
        ("发至", "发到", "传达", "印发", "下发"),
        late(
            rf"[此本]件[只仅]?发至[^，。；\n]{{0,8}}(?:成员|支书|负责人|党员|支部|党组织){_STOP}"
            rf"|(?:[此本]件)?[只仅]?发至[^。，；\n（）]{{0,4}}(?:县团|省军|地师|县处|厅局|乡科|[县处科股厅局镇乡]|市局)级(?:以上|及以上)?(?:干部|单位|领导)?{_STOP}"
            rf"|[只仅](?:传达|印发|下发|发)[到至][^。，；\n]{{0,10}}(?:级|干部|领导|负责人|班子成员|单位){_STOP}"
        ),
    ),
    "until then": (
        ("泄", "外传", "透露", "扩散", "公开", "公布", "保密"),
        late(
            "(?:公布|发布|行动|检查|会议|会|宣布|公示|公开|开标|启动|实施|召开|审定|印发|批准|定稿|研究)(?:开始|结束)?之?前[，,]?"
            "(?:请|须|应|务必|要)?(?:各[^，。；]{1,6})?(?:不得|请?勿|严禁|切勿|注意|严格|做好)(?:对外|擅自)?"
            "(?:泄露|泄漏|外传|外泄|透露|扩散|公开|公布|保密)"
        ),
    ),
    "not yet": (
        ("暂不对外",),
        late(rf"暂不对外(?:发布|公开|公布|宣传|提供|宣布){_STOP}"),
    ),
    "be silent": (
        ("保密",),
        late(
            "(?:口径|名单|点位|路线|标底|题目|行程)(?:请|务必|要|须)(?:严格|注意|予以)?保密"
            rf"|{_AT}(请?(?:注意|严格|予以?)保密)(?=[，。；！）)\s]|$)"
        ),
    ),
    "no group": (
        ("群", "网上", "朋友圈"),
        late(r"不(?:要|得|准|能)(?:转|发|转发|传)[到至入][^，。；\n]{0,6}(?:群|网上|朋友圈)"),
    ),
    # an order with nobody it is given to is given to the reader
    "bare order": (
        ("外泄", "外传", "翻印", "见报", "登报", "上网", "对外", "外出"),
        late(
            rf"{_AT}((?:{_ORDERS})(?:外泄|外传|翻印|见报|登报|上网|携带外出|对外(?:提供|公开|发布|传播|泄露|透露|扩散|宣传)?))(?=[，。；！）)\s]|$)"
        ),
    ),
    "collected": (
        ("后",),
        late(
            "(?:材料|资料|文件|方案|名单|附件|讲稿|文稿)(?:阅|看|会|用|传达|会议)后(?:请|须|应|立即|统一|一律|即|及时)?"
            "(?:收回|销毁|删除?|交回|退回|清退)"
            r"|[，（( ]((?:会议结束|会|阅|用|学习)后请?(?:及时)?(?:交回|退回|收回))(?=[。，；）)\n]|$)"
        ),
    ),
}
# In brackets or alone on its line, a short caution needs no paper's name.
_CAUTIONED = late(
    rf"[{_OPEN}]([^{_CLOSE}\n。]{{0,16}}?(?:{_SHUT}|(?:不得|严禁|请勿|切勿)泄[露漏密]|密件|不登报|不上网"
    rf"|{_ONLY}[^{_CLOSE}\n。]{{0,6}}(?:{_READERS})[^{_CLOSE}\n。]{{0,4}}(?:{_USED}))[^{_CLOSE}\n。]{{0,8}}"
    rf"|[供呈报送][{_HAN}、]{{0,6}}领导[{_HAN}]{{0,3}}阅[{_HAN}]?|内部{_NOT_A_MARK}[{_HAN}]{{0,4}}|机关内部[{_HAN}]{{2,4}})[{_CLOSE}]"
    rf"|^ *((?:机关|单位|党内)?内部(?:情况|刊物|文稿|材料|资料|文件|简报|通讯|参考|动态|交流)(?:[^\n。]{{0,8}}(?:{_KEEP})[^\n。]{{0,6}}|[， 、·]{{1,3}}(?:{_ORDERS})[^\n。]{{2,10}})"
    rf"|内部{_NOT_A_MARK}[{_HAN}]{{2,3}}) *$",
    re.M,
)
_CLOSED = late(
    r"(?:此件|本件|此文件?|本文件)(?:不公开(?:发布)?|不予公开|不宜公开|不得公开|依申请公开|非公开|内部(?:掌握|使用))"
    r"|(?:公开(?:属性|方式|选项|类别|类型|形式|性质|范围|程度|等级|情况|类|时限)|发布层次|(?:信息|文件|政务)公开|文件属性|(?:^|(?<=\n))属性) ?(?:[：:]|(?:定?为|是)[：:]?) ?(?:不予公开|不公开|依申请公开|非公开|不得公开|暂不公开|不宜公开|免予公开|不主动公开|暂缓公开)"
    r"|(?:是否(?:主动)?公开|(?:主动)?公开与否) ?[：:] ?(?:否|不|依申请)"
    r"|(?:此|本|该)(?:文|函|通知|批复|复函|请示|报告|纪要|材料|方案|信息|决定书?|意见|通报)(?:属于?|为|系)?(?:不公开|不予公开|依申请公开|不宜公开|不得公开)(?:件|文件|信息)?(?=[）)】\]。，,；;\s]|$)"
)
_BRACKETED = late(
    rf"[{_OPEN}](依申请公开|不予公开|不公开|暂不公开|不得公开|不宜公开|非公开)(?:件)?[{_CLOSE}](?=[。；]? *$)"
    rf"|^ *[{_OPEN}](依申请公开|不予公开|不公开|暂不公开|不得公开|不宜公开|非公开)(?:件)?[{_CLOSE}]",
    re.M,
)
_WORK_SAID = Say("工作秘密标志。工作秘密不得发布").text
_INNER_SAID = Say("内部资料的标志。内部资料不得发布；可以公开的，请先删去标志").text
_CLOSED_SAID = Say("标明不公开或依申请公开，不得主动发布。请核对公开属性").text


def work(text: str, context: Context) -> Iterator[Hit]:
    """Marks of work secrets, as those of inner papers."""
    yield from _marks("work-secret", _WORK, _WORK_SAID, text)


def closed(text: str, context: Context) -> Iterator[Hit]:
    """A paper that says of itself that it is not for the public."""
    yield from _marks("not-public", _CLOSED, _CLOSED_SAID, text)
    for match in _BRACKETED.finditer(text):
        yield Hit("not-public", Severity.WARN, *match.span(match.lastindex or 0), _CLOSED_SAID)


def inner(text: str, context: Context) -> Iterator[Hit]:
    """Marks of inner papers.

    Block where they stand as a mark does: alone on a line, or in brackets; what is joined to its
    caution (内部资料，不得外传) in the middle of a sentence warns; the bare word is nothing.
    """
    if "工作秘密" in text:
        text = _WORK.sub(lambda match: "工" * len(match[0]), text)  # told already
    if "公开" in text:
        text = _CLOSED.sub(lambda match: "公" * len(match[0]), text)
    marks = list(_marks("internal-mark", _INNER, _INNER_SAID, text))
    yield from marks
    here = [form for signs, form in _OF_ITSELF.values() if any(map(text.__contains__, signs))]
    for pattern in (_CAUTIONED, *here):
        for start, end in (match.span(match.lastindex or 0) for match in pattern.finditer(text)):
            if not any(mark.start < end and start < mark.end for mark in marks):
                marks.append(Hit("internal-mark", Severity.WARN, start, end, _INNER_SAID))
                yield marks[-1]


_BEFORE = late(
    rf"(?:^|[\n{_OPEN}★]|  )(?:(?:附注|备注|注|公开(?:方式|属性|选项|类型|形式))[：:])?[ ★☆*]*[{_OPEN}]?$"
)
# What blocks is beyond doubt. The rest may be an article's heading, a museum's request (请勿翻拍)
# or a lender's (用后归还).
_SURE = late(
    "内部(?:资料|文件|材料|刊物|文稿|明电|使用|传阅|参考|掌握|参阅)|内部[\u4e00-\u9fff]{0,2}[，,：:、·；;！!— \n]"
    "|外传|外泄|扩散|外流|(?:阅|会)后(?:收回|即毁|即焚|销毁|退回)|商密|[供限][\u4e00-\u9fff]{0,6}内部"
    "|(?:不得|严禁|禁止|请?勿|不准|不对|暂不).{0,3}(?:对外(?:公开|发布|传播|公布)|截图|转发|上网)|对外公[开布]"
    "|稿.{0,2}(?:注意|妥善)"
)
_SIGNED = frozenset(_STARS + "*＊▲△◆◇■")
_SENTENCE = late("[。！!；;] ?$")
_AFTER = late(rf"[ 。！!]*(?:$|[\n{_CLOSE}]|  )|[。！!]")


# A caution after a comma (供领导参阅，请勿外传) is a mark where its whole line is short.
_CAUTION = late(
    rf"(?:^|\n)[^\n。]{{0,16}}[，,：: ]$|[{_OPEN}][^\n。{_CLOSE}]{{0,20}}[，,：:；;、 ]$"
)


def _marks(rule: str, pattern: re.Pattern[str], said: str, text: str) -> Iterator[Hit]:
    for match in pattern.finditer(text):
        if severity := _weight(rule, match, text):
            yield Hit(rule, severity, *match.span(), said)


def _weight(rule: str, match: re.Match[str], text: str) -> Severity | None:
    """Block for a mark beyond doubt, by its star or its place; None for words in a sentence."""
    start, end = match.span()
    before, after = text[max(0, start - 24) : start], text[end : end + 6]
    opened = _BEFORE.search(before) or ("传" in match[0] and _CAUTION.search(before))
    alone = opened and _AFTER.match(after)
    sure = rule != "internal-mark" or _SURE.search(match[0])
    starred = {text[start - 1 : start], match[0][-1], text[end : end + 1]} & _SIGNED
    if sure and (alone or starred):
        return Severity.BLOCK
    joined = re.search(r"[，,：:、· \n★☆▲◆*]", match[0])
    said_so = rule == "work-secret" and match[0][0] != "工"  # 提纲系工作秘密
    if alone or joined or said_so or (opened and rule == "not-public"):
        return Severity.WARN
    # a sentence of its own (请勿外传！此件不公开) is a caution, wherever it stands
    own = "外传" in match[0] or rule == "not-public"
    sentence = own and _SENTENCE.search(before) and _AFTER.match(after)
    return Severity.WARN if sentence else None
